# %% [markdown]
# # Tour
#
# From a JCAMP file to an embedding, a physics audit and a fine-tuned calibration. Everything here
# runs from a clone of the repository: the spectra are computed ones that ship with it, written as
# files first, so put your own in their place.
#
#     python -m experiments.render --script=docs/tour.py

# %%
import dataclasses
import pathlib
import tempfile

import matplotlib.pyplot as plt
import numpy as np

from configs import spektron_adapt
from spectra_jax import audit, load_pretrained, readers, splits, train
from spectra_jax.audit import findings
from spectra_jax.audit.assumptions import Assumptions
from spectra_jax.audit.predictions import Predictions
from spectra_jax.chemometrics import pls
from spectra_jax.datasets import computed
from spectra_jax.workdir import claim

folder = pathlib.Path(tempfile.mkdtemp())

# %% [markdown]
# ## A file
#
# Two molecules of formulas that the weights have not seen, on a grid of their own (4 cm^-1), as an
# absorbance with some noise. JCAMP-DX is text: a header and the ordinates.

# %%
nu = np.arange(400.0, 4001.0, 4.0)
library = computed.load(nu)['ir']
meta = library.meta
side = splits.make_split(meta['id'], meta['group'], 'grouped', (0.8, 0.1, 0.1), 0)
unseen = library.take(side.test[[100, 300]])
pure = unseen.values / unseen.values.max(1, keepdims=True)
rng = np.random.default_rng(0)


def write_jcamp(path, title, absorbance):
  rows = [
    f'{nu[i]:g} ' + ' '.join(f'{y:.6f}' for y in absorbance[i : i + 8])
    for i in range(0, len(nu), 8)
  ]
  header = {
    'TITLE': title,
    'JCAMP-DX': '4.24',
    'DATA TYPE': 'INFRARED SPECTRUM',
    'XUNITS': '1/CM',
    'YUNITS': 'ABSORBANCE',
    'XFACTOR': '1',
    'YFACTOR': '1',
    'FIRSTX': f'{nu[0]:g}',
    'LASTX': f'{nu[-1]:g}',
    'FIRSTY': f'{absorbance[0]:.6f}',
    'NPOINTS': str(len(nu)),
  }
  text = ''.join(f'##{key}={value}\n' for key, value in header.items())
  path.write_text(text + '##XYDATA=(X++(Y..Y))\n' + '\n'.join(rows) + '\n##END=\n')


measured = pure[0] + 0.002 * rng.normal(size=len(nu))
write_jcamp(folder / 'sample.jdx', str(unseen.meta['id'][0]), measured)
(sample,) = readers.read(folder / 'sample.jdx')
print(sample.kind, sample.axis_unit, sample.values.shape, sample.meta['title'])

# %% [markdown]
# ## An embedding
#
# The vector does not depend on the unit of the intensities or on the grid; here it is compared with
# those of 500 molecules by their cosine. What is near has bands alike, which need not be chemistry
# alike: to find molecules there are models that were trained for it ([studies](foundation.md)).

# %%
model = load_pretrained()
vector = model.embed(sample)
known = model.embed(library.take(slice(0, 500)))
unit = lambda x: (x - known.mean(0)) / np.linalg.norm(x - known.mean(0), axis=-1, keepdims=True)
nearest = np.argsort(-(unit(known) @ unit(vector)[0]))[:5]
print('sample  ', unseen.meta['id'][0])
print('nearest ', *meta['id'][nearest])

# %% [markdown]
# ## What was not measured
#
# A detector that was blind between two wavenumbers: the points are masked, and filled in from the
# rest. What was measured comes back as it was. Training hid 60 cm^-1 at a time; of the 100
# hidden here nothing but the wings is known, and the two bands in them become one broad one.

# %%
blind = (nu > 1250) & (nu < 1350)
gap = dataclasses.replace(sample, mask=sample.mask & ~blind)
filled = model.reconstruct(gap)
np.testing.assert_array_equal(filled.values[gap.mask], sample.values[gap.mask])
near = (nu > 900) & (nu < 1700)
figure, ax = plt.subplots(figsize=(8, 3.4), layout='constrained')
ax.axvspan(1250, 1350, color='#EEEEEE')
ax.plot(nu[near], pure[0][near], color='#888888', label='true')
ax.plot(
  nu[near], np.where(blind, filled.values[0], np.nan)[near], color='#D55E00', label='filled in'
)
ax.set(xlabel='Wavenumber (cm$^{-1}$)', ylabel='Absorbance')
ax.invert_xaxis()
ax.legend(frameon=False)

# %% [markdown]
# ## A physics audit
#
# Which laws do predicted spectra obey? Forty held-out molecules with a fifth of the axis
# hidden, held against every law that applies; a law that cannot be tested says why.

# %%
held_out = library.take(side.test[:40])
hidden = np.zeros(held_out.mask.shape, bool)
for row, first in enumerate(rng.integers(0, 700, 40)):
  hidden[row, first : first + 180] = True
predicted = model.reconstruct(dataclasses.replace(held_out, mask=~hidden))
given = Predictions(nu, {'ir': predicted.values}, {'ir': held_out.values})
found = audit.audit(given, Assumptions(state='computed', hwhm_min=8.0))
print(findings.table(found))

# %% [markdown]
# One spectrum is negative somewhere, by 2e-5 of its maximum. In half of them what was filled in
# changes the partial sums of oscillator strength by more than 10 % somewhere, and half are sharper,
# by a thousandth of their maximum or less, than lines of this width can be: the network was asked
# for none of this.

# %% [markdown]
# ## A calibration
#
# Mixtures of the two molecules with a baseline that wanders, as a folder of files and a table of
# labels: how your own data come in.

# %%
data = folder / 'mixtures'
data.mkdir()
fraction = rng.uniform(0, 1, 60)
lines = ['file,group,target/fraction']
for row, share in enumerate(fraction):
  baseline = 0.2 * rng.normal() * (nu - 400) / 3600 + 0.1 * abs(rng.normal())
  mixture = share * pure[0] + (1 - share) * pure[1] + baseline + 0.01 * rng.normal(size=len(nu))
  write_jcamp(data / f'm{row:02d}.jdx', f'mixture {row}', np.maximum(mixture, 0))
  lines.append(f'm{row:02d}.jdx,mixture {row},{share:.4f}')
(data / 'labels.csv').write_text('\n'.join(lines) + '\n')

# %% [markdown]
# A config, as every run has one: the network from the weights that ship, trained by low-rank
# updates of its matrices and recurrences (LoRA); `adapt.name` = full trains all of it. The run
# reads the folder and deals its samples to three sides.

# %%
config = spektron_adapt.get_config('few').copy_and_resolve_references()
config.update_from_flattened_dict({
  'dataset.name': 'folder', 'dataset.folder.path': str(data),
  'axis.low_cm': 400.0, 'axis.high_cm': 4000.0, 'axis.points': 0,
  'protocol.name': '', 'protocol.refit': False,
  'split.regime': 'grouped', 'split.by': 'group', 'split.fractions': (0.6, 0.1, 0.3),
  **spektron_adapt.tokens(),
  'task.regress.targets': ('fraction',), 'preprocess': (),
  'adapt.name': 'lora', 'train.steps': 120, 'train.eval_every': 120, 'checkpoint.every': 120,
  'log.progress': False, 'log.tensorboard': False, 'log.figures': False,
})  # fmt: skip
run = train.prepare(config, str(folder / 'run'))
mixtures, split = run.task.spectra, run.task.split
learn, true = np.concatenate([split.train, split.validation]), mixtures.meta['target/fraction']

# %% [markdown]
# On the same sides: PLS on the spectra, which comes first in any calibration; ridge on the features
# as they are; LoRA. What mixes linearly is PLS's, and a network has to show what it adds.

# %%
rmsep = lambda found: np.sqrt(((found - true[split.test]) ** 2).mean())
values, groups = mixtures.values.astype(float), mixtures.meta['group']
linear = pls.fit(values[learn], true[learn].astype(float), groups[learn], seed=0)
print(f'PLS on spectra: RMSEP {rmsep(linear.predict(values[split.test])):.3f}')
calibration = model.calibrate(mixtures.take(learn), true[learn])
print(f'ridge on features: RMSEP {rmsep(calibration.predict(mixtures.take(split.test))):.3f}')
with claim(run.workdir, run.config, run.data_hash):
  report = train.train(run)
score = report['results']['fraction']['rmsep']
print(f'LoRA, {report["parameters"]:,} numbers trained: RMSEP {score["model"]:.3f}')
print(f'mean of the training side: RMSEP {score["mean"]:.3f}')
