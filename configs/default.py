"""Every key there is, once, with its unit. Other configs are this one plus a short diff.

A component is chosen by its file name (`backbone.name` = s5 loads spectra_jax/backbones/s5.py) and
takes its options from the sub-dict of the same name, whose keys are exactly that class's fields.

`zipped`, `product` and `chain` make the list of overrides that `sweep()` of a config returns. They
are here because every other file of this folder is an experiment.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

Overrides = Mapping[str, Any]  # dotted key -> value


def zipped(values: Mapping[str, Sequence]) -> list[dict]:
  """Overrides that take the first value of every key, then the second, and so on."""
  lengths = {key: len(of_key) for key, of_key in values.items()}
  if len(set(lengths.values())) > 1:
    raise ValueError(
      f'zipped keys have {lengths} values; expected as many of each; add or drop some'
    )
  return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def product(*parts: Mapping[str, Sequence] | Sequence[Overrides]) -> list[dict]:
  """Overrides of every combination, the last fastest. {key: values} stands for all of its own."""
  sweeps = [
    product(*(zipped({key: of_key}) for key, of_key in part.items()))
    if isinstance(part, Mapping)
    else part
    for part in parts
  ]
  rows = list(itertools.product(*sweeps))
  for row in rows:
    keys = [key for overrides in row for key in overrides]
    if len(keys) > len(set(keys)):
      raise ValueError(f'a product sets {keys}; expected each key once; take one part away')
  return [{key: x for overrides in row for key, x in overrides.items()} for row in rows]


def chain(*sweeps: Sequence[Overrides]) -> list[dict]:
  """One sweep after the other."""
  return [dict(overrides) for sweep in sweeps for overrides in sweep]


def get_config() -> ConfigDict:
  c = ConfigDict()
  c.seed = 0  # of parameters, batch order, masks and dropout

  c.dataset = ConfigDict()
  c.dataset.name = 'computed'  # file in spectra_jax/datasets
  c.dataset.computed = ConfigDict()
  c.dataset.computed.path = ''  # '' = the file that ships with the package
  c.dataset.computed.kinds = ('ir', 'raman')  # one or both
  c.dataset.computed.line_shape = 'lorentz'  # lorentz, gauss, voigt
  c.dataset.computed.fwhm_cm = 16.0  # full width at half maximum [cm^-1]; Lorentz part of voigt
  c.dataset.computed.gauss_fwhm_cm = 0.0  # of the Gauss part, voigt only [cm^-1]
  c.dataset.computed_optical = ConfigDict()  # reflectance, n and k of simulated liquids
  c.dataset.computed_optical.path = ''  # '' = the line lists that ship with the package
  c.dataset.computed_optical.fwhm_cm = 20.0  # full width of every line of Im eps [cm^-1]
  c.dataset.computed_optical.eps_inf = 1.9  # what electrons add to eps
  c.dataset.corn = ConfigDict()  # near infrared of 80 samples on three instruments
  c.dataset.corn.path = ''  # raw or prepared folder
  c.dataset.folder = ConfigDict()  # your own spectra beside a labels.csv
  c.dataset.folder.path = ''  # raw or prepared folder
  c.dataset.instruments = ConfigDict()  # the computed spectra on simulated spectrometers
  c.dataset.instruments.path = ''  # '' = the line lists that ship with the package
  c.dataset.instruments.kinds = ('ir', 'raman')  # one or both; measured as absorbance and raman
  c.dataset.instruments.fwhm_cm = 16.0  # of the lines before any instrument [cm^-1]
  c.dataset.instruments.held_out = False  # the two instruments nothing trains on, not the six
  c.dataset.instruments.seed = 0  # of days and noise
  c.dataset.jcamp_folder = ConfigDict()  # JCAMP-DX files
  c.dataset.jcamp_folder.path = ''  # raw or prepared folder
  c.dataset.jcamp_folder.kind = ''  # absorbance, transmittance, ...; '' = the only one
  c.dataset.jcamp_folder.unit = ''  # of the values, in the files' own words; '' = the only one
  c.dataset.nirsoil = ConfigDict()  # near infrared of 825 soils
  c.dataset.nirsoil.path = ''  # raw or prepared folder
  c.dataset.optical_constants = ConfigDict()  # n and k of liquids and glasses
  c.dataset.optical_constants.path = ''  # raw or prepared folder
  c.dataset.planted = ConfigDict()  # fringes whose period and coherence are known
  c.dataset.planted.count = 1000  # spectra
  c.dataset.planted.period_cm = 180.0  # of the fringes [cm^-1]
  c.dataset.planted.decay_cm = 600.0  # along which they lose their phase [cm^-1]
  c.dataset.planted.contrast = 0.2  # their standard deviation [of the background's root]
  c.dataset.planted.noise = 0.02  # standard deviation of white noise [of the background's root]
  c.dataset.planted.seed = 0  # of what is drawn
  c.dataset.qm9s = ConfigDict()  # computed IR and Raman of 129,817 molecules
  c.dataset.qm9s.path = ''  # raw or prepared folder
  c.dataset.qme14s = ConfigDict()  # computed IR and Raman of 186,102 molecules
  c.dataset.qme14s.path = ''  # raw or prepared folder
  c.dataset.rruff_archive = ConfigDict()  # Raman of minerals: zips of RRUFF or folders of its texts
  c.dataset.rruff_archive.path = ''  # raw or prepared folder
  c.dataset.rruff_archive.state = 'measured'  # raw, or baseline_corrected: as RRUFF processed them
  c.dataset.rruff_excellent_unoriented = ConfigDict()  # Raman of 1,749 minerals, processed
  c.dataset.rruff_excellent_unoriented.path = ''  # raw or prepared folder
  c.dataset.rruff_excellent_unoriented.state = 'baseline_corrected'  # or measured: ten of them
  c.dataset.rruff_pairs = ConfigDict()  # Raman of six minerals, raw and processed
  c.dataset.rruff_pairs.path = ''  # raw or prepared folder
  c.dataset.rruff_pairs.state = 'measured'  # raw, or baseline_corrected: as RRUFF processed them
  c.dataset.rruff_splits = ConfigDict()  # Raman of minerals in the splits of arXiv:2509.25964
  c.dataset.rruff_splits.path = ''  # raw or prepared folder
  c.dataset.rruff_splits.subset = 'raw'  # 63 classes, or clean: 17
  c.dataset.rruff_splits.shift_cm = 0.0  # of the test spectra, padded as the authors do [cm^-1]
  c.dataset.rruff_splits.labels = 0  # 85, 170, 255, 340 of the training side; 0 = all there are
  c.dataset.rruff_splits.archive = ''  # folder of rruff_excellent_unoriented, to train on as well
  c.dataset.tablets = ConfigDict()  # near infrared of 655 tablets on two instruments
  c.dataset.tablets.path = ''  # raw or prepared folder
  c.dataset.tecator = ConfigDict()  # near infrared of 215 meats
  c.dataset.tecator.path = ''  # raw or prepared folder
  c.dataset.ucr = ConfigDict()  # Beef and Coffee without wavelengths
  c.dataset.ucr.path = ''  # raw or prepared folder
  c.dataset.wheat_kernels = ConfigDict()  # near infrared of 523 kernels
  c.dataset.wheat_kernels.path = ''  # raw or prepared folder

  c.data = ConfigDict()  # where spectra lie; changes no number
  c.data.storage = 'memory'  # or memmap: shards on disk, written at the first start
  c.data.cache = ''  # folder of the shards; '' = ~/.cache/spectra_jax/shards
  c.data.shard_rows = 4096  # spectra of one kind in a shard
  c.data.verify = True  # sha256 of every shard at each start

  c.axis = ConfigDict()
  c.axis.low_cm = 400.0  # first point [cm^-1]
  c.axis.high_cm = 4000.0  # last point [cm^-1]
  c.axis.points = 1024  # evenly spaced; 0 = the data's own between low and high

  c.correct = ()  # steps that learn nothing, once on all spectra: ({'name': 'arpls', 'lam': 1e5},)
  c.preprocess = ()  # steps on spectra before the model, in order: ({'name': 'snv'}, ...)

  c.split = ConfigDict()
  c.split.regime = 'grouped'  # iid, given, instrument, leave_group_out, time, kennard_stone, spxy
  c.split.by = 'group'  # meta column of what stays on one side: sample, batch, ...; or of times
  c.split.stratified = ''  # meta column of classes that must all be in training; '' = none
  c.split.instrument = 'instrument'  # meta column that train_on and test_on name values of
  c.split.train_on = ()  # instruments of training and validation; regime instrument only
  c.split.test_on = ()  # instruments that are tested, the group left out, or the block of time
  c.split.fractions = (0.8, 0.1, 0.1)  # train, validation, test
  c.split.seed = 0  # another seed, another deal of the groups
  c.split.train_share = 1.0  # of the training groups that are used (scaling curves)
  c.split.train_seed = 0  # which ones; added to the seed of the deal

  c.protocol = ConfigDict()  # sides of the tables of classical methods
  c.protocol.name = ''  # of numbers in spectra_jax/protocols.py; '' = as split says
  c.protocol.repeat = 0  # which of its splits
  c.protocol.refit = False  # the validation side trains too: nothing may be chosen on it any more

  c.adapt = ConfigDict()  # what is trained, and from which weights
  c.adapt.name = 'full'  # file in spectra_jax/adaptation: full, frozen (but the head), lora
  c.adapt.init_from = ''  # 'shipped', a file of weights or a workdir; '' = drawn from the seed
  c.adapt.kind = 'ir'  # of the weights' kinds, the one that spectra of one kind are like
  c.adapt.full = ConfigDict()
  c.adapt.frozen = ConfigDict()
  c.adapt.lora = ConfigDict()
  c.adapt.lora.rank = 4  # of the update of every matrix
  c.adapt.lora.scale = 4.0  # an update is multiplied by scale / rank
  c.adapt.lora.dynamics = True  # poles, dampings and steps of recurrences have updates too

  c.task = ConfigDict()
  c.task.name = 'masked'  # file in spectra_jax/tasks
  c.task.foundation = ConfigDict()  # masks are those of task.masked
  c.task.foundation.whole_share = 0.25  # of training views nothing is hidden in
  c.task.foundation.erasure_molecules = 2000  # at most, of training, for the erased latent
  c.task.foundation.probe_views = 2  # training instruments that see each held-out molecule, 1 to 6
  c.task.foundation.temperature = 0.1  # of the contrastive loss
  c.task.foundation.free_nats = 0.05  # of each latent dimension, which cost nothing
  c.task.foundation.blur = 0.1  # entropy of transport over its mean cost
  c.task.foundation.iterations = 50  # of Sinkhorn
  c.task.foundation.classifiers = True  # of instruments: an adversary of z_chem, one of z_inst
  c.task.foundation.hidden = 64  # their channels; 0 = linear
  c.task.foundation.reversal = 1.0  # the gradient comes back to z_chem times minus this
  c.task.foundation.alarm_after = 1000  # steps before a lost latent stops the run
  c.task.foundation.least_active = 0  # active units of z_chem below which it is lost; 0 = off
  c.task.foundation.least_gap = 0.0  # accuracy on instruments, z_inst over z_chem; 0 = off
  c.task.masked = ConfigDict()
  c.task.masked.band_cm = 60.0  # width of one masked band [cm^-1]
  c.task.masked.ratio = 0.4  # masked share of the axis after the curriculum, and in evaluation
  c.task.masked.ratio_start = 0.2  # at step 0
  c.task.masked.ratio_steps = 500  # steps from ratio_start to ratio
  c.task.masked.drift_cm = 0.0  # that bands of a spectrum move in training, most [cm^-1]
  c.task.masked.drift_band_cm = 500.0  # over which their moves differ [cm^-1]
  c.task.masked.widen_cm = (0.0, 0.0)  # range added to the FWHM of lines in training [cm^-1]
  c.task.masked.noise = 0.0  # largest deviation in what training shows, over the mean intensity
  c.task.masked.eval_masks = 64  # distinct masks dealt to the held-out rows, fixed once
  c.task.masked.shrinkage_folds = 3  # grouped folds that choose the Gaussian's shrinkage
  c.task.cross_spectral = ConfigDict()
  c.task.cross_spectral.directions = ('ir_to_raman', 'raman_to_ir')  # one or both, in one model
  c.task.cross_spectral.known = ()  # or ('centrosymmetric',): told beside the spectrum
  c.task.cross_spectral.intensities = False  # the head gives intensities, not their square roots
  c.task.cross_spectral.hidden = 0.0  # largest share of the seen spectrum hidden in training
  c.task.cross_spectral.band_cm = 60.0  # width of one hidden band [cm^-1]
  c.task.cross_spectral.drift_cm = 0.0  # that bands of both spectra move in training, most [cm^-1]
  c.task.cross_spectral.drift_band_cm = 500.0  # over which their moves differ [cm^-1]
  c.task.cross_spectral.components = (20, 40, 80)  # of PLS2, those that folds choose from
  c.task.cross_spectral.shrinkages = (1.0, 0.3, 0.1, 0.03, 0.01)  # of ridge, likewise
  c.task.cross_spectral.kernel_widths = (0.5, 1.0, 2.0)  # over the median squared distance
  c.task.cross_spectral.kernel_shrinkages = (0.1, 0.05, 0.02)  # where the kernel is 1 at 0
  c.task.cross_spectral.folds = 3  # grouped, of the training side, where there is a choice
  c.task.cross_spectral.peak_prominence = 0.05  # least, over the range of the spectrum
  c.task.cross_spectral.peak_separation_cm = 10.0  # of two peaks of one spectrum [cm^-1]
  c.task.cross_spectral.peak_tolerance_cm = 5.0  # between a found peak and a true one [cm^-1]
  c.task.optical_constants = ConfigDict()
  c.task.optical_constants.band_cm = 60.0  # width of one hidden band [cm^-1]
  c.task.optical_constants.ratio = 0.2  # hidden share of the axis
  c.task.optical_constants.noise = 5e-4  # standard deviation [absolute reflectance]
  c.task.optical_constants.kk_tolerance = 0.01  # relative residual of n - T k that is not punished
  c.task.optical_constants.absolute = False  # the head gives n and k, not multiples of their scale
  c.task.optical_constants.eval_masks = 16  # distinct masks dealt to the held-out rows, fixed once
  c.task.paired = ConfigDict()
  c.task.paired.band_cm = 60.0  # width of one hidden band [cm^-1]
  c.task.paired.ratio = 0.4  # hidden share of the axis of each kind
  c.task.paired.intensities = False  # the head gives intensities, not their square roots
  c.task.paired.eval_masks = 16  # distinct masks dealt to the held-out rows, fixed once
  c.task.retrieval = ConfigDict()
  c.task.retrieval.parts = ('spectrum', 'embedding')  # of the space: predicted spectra, embeddings
  c.task.retrieval.components = 64  # principal components of each kind that are compared
  c.task.retrieval.embedding = 128  # numbers of an embedding
  c.task.retrieval.width = 128  # channels of an atom
  c.task.retrieval.layers = 5  # rounds of messages between atoms
  c.task.retrieval.isomers = 1  # molecules of the same formula that each is also told from
  c.task.retrieval.alone = 0.5  # share of training molecules of which one kind is measured
  c.task.retrieval.radius = 3  # bonds around an atom that kernel ridge regression looks at
  c.task.spectrum_search = ConfigDict()
  c.task.spectrum_search.embedding = 128  # numbers of an embedding
  c.task.spectrum_search.instruments = 0  # drawn for training from the same ranges; 0 = the six
  c.task.spectrum_search.slope_cm = 0.0  # the model reads slopes over this width; 0 = roots

  c.augment = ConfigDict()  # of training spectra, by tasks that say so; magnitude 0 = off
  c.augment.mixing = ConfigDict()
  c.augment.mixing.share = 0.0  # largest share of another training sample in a mixture
  c.augment.drift = ConfigDict()  # a warmer sample
  c.augment.drift.position_cm = 0.0  # furthest move of a band to lower wavenumbers [cm^-1]
  c.augment.drift.width_cm = 0.0  # largest FWHM of the Lorentz line that widens bands [cm^-1]
  c.augment.drift.band_cm = 200.0  # shortest period along the axis of moves that differ [cm^-1]
  c.augment.exponential = ConfigDict()  # fluorescence (Raman) or an Urbach tail (absorption)
  c.augment.exponential.height = 0.0  # at its end [absorbance; of the highest point in Raman]
  c.augment.exponential.decay_cm = (300.0, 3000.0)  # fall to 1/e, from a range [cm^-1]
  c.augment.polynomial = ConfigDict()  # a baseline
  c.augment.polynomial.height = 0.0  # largest [absorbance; of the highest point in Raman]
  c.augment.polynomial.order = 3  # Legendre polynomials up to it
  c.augment.etalon = ConfigDict()  # fringes of two parallel faces
  c.augment.etalon.contrast = 0.0  # largest amplitude [fraction of the signal]
  c.augment.etalon.period_cm = (20.0, 200.0)  # 1 / (2 n d), from a range [cm^-1]
  c.augment.response = ConfigDict()  # an aged detector or reference
  c.augment.response.fraction = 0.0  # largest change of gain [fraction]
  c.augment.response.period_cm = 500.0  # shortest period along the axis [cm^-1]
  c.augment.resolution = ConfigDict()  # another Fourier spectrometer
  c.augment.resolution.fwhm_cm = 0.0  # widest line shape that is convolved with [cm^-1]
  c.augment.resolution.apodisation = 'medium'  # boxcar, triangular; Norton-Beer weak to strong
  c.augment.shift = ConfigDict()  # an axis out of calibration
  c.augment.shift.max_cm = 0.0  # furthest, either way [cm^-1]
  c.augment.shot = ConfigDict()  # noise of counted photons
  c.augment.shot.fraction = 0.0  # largest deviation at the open beam or highest point [fraction]
  c.augment.flicker = ConfigDict()  # 1/f noise along the axis
  c.augment.flicker.fraction = 0.0  # largest deviation [fraction of open beam or highest point]
  c.augment.read = ConfigDict()  # white noise of the detector
  c.augment.read.fraction = 0.0  # largest deviation [fraction of open beam or highest point]
  c.augment.crop = ConfigDict()  # an instrument of a narrower range
  c.augment.crop.edge_cm = 0.0  # largest part at each end that counts as not measured [cm^-1]
  c.augment.crop.keep_cm = ()  # ((low, high), ...) bands that no cut may touch [cm^-1]

  c.task.classify = ConfigDict()
  c.task.classify.smoothing = 0.0  # share of the target that all classes divide
  c.task.classify.balanced = True  # every class weighs the same in the loss, however many spectra
  c.task.classify.least = 1  # spectra that a class must have; rarer classes are left out
  c.task.classify.leave_out_unseen = False  # held-out classes without training; else refused
  c.task.classify.shifts_cm = (0.0,)  # of held-out spectra along the axis: a test for each [cm^-1]
  c.task.classify.shift_fill = 0.0  # value of the points from where a shift brings nothing
  c.task.regress = ConfigDict()
  c.task.regress.targets = ()  # names; () = all of the data set
  c.task.regress.centred = True  # the training set's mean spectrum is taken off

  c.tokenize = ConfigDict()
  c.tokenize.step_cm = 14.0  # token spacing, whatever the grid [cm^-1]
  c.tokenize.knots_per_step = 2  # spline knots of kernel and head in one token step
  c.tokenize.kernel_cm = 112.0  # support of the continuous kernel [cm^-1]
  c.tokenize.fourier_features = 16  # sine-cosine pairs that encode the token's wavenumber
  c.tokenize.kernel = 'spline'  # all knots free; or dilated, wavelet: banks of dyadic widths
  c.tokenize.resolution = False  # tokens say how wide the instrument's lines are [cm^-1]

  c.backbone = ConfigDict()
  c.backbone.name = 'linoss'  # file in spectra_jax/backbones
  c.backbone.width = 96  # D: channels of a token
  c.backbone.linoss = ConfigDict()
  c.backbone.linoss.blocks = 2  # residual blocks
  c.backbone.linoss.state = 64  # P: oscillators a direction
  c.backbone.linoss.discretisation = 'imex'  # im, imex, imex2, imex3, ex
  c.backbone.linoss.damped = True  # imex with damping is D-LinOSS; without, G = 0 (ex needs it)
  c.backbone.linoss.region = 'oscillatory'  # complex poles, or stable: all with |lambda| <= 1
  c.backbone.linoss.initialisation = 'ring'  # of poles (next three), or uniform: A, G ~ U[0, 1]
  c.backbone.linoss.bidirectional = True  # each block also runs from high to low wavenumbers
  c.backbone.linoss.dropout = 0.0  # rate; whole channels
  c.backbone.linoss.normalisation = 'rms'  # or layer
  c.backbone.linoss.r_min = 0.9  # ring initialisation: |lambda| in [r_min, r_max]
  c.backbone.linoss.r_max = 1.0  # no more than 1: poles inside the unit circle
  c.backbone.linoss.theta_max = 3.141592653589793  # ring initialisation: angle in [0, theta_max]
  c.backbone.linoss.input_norm = False  # inputs scaled to unit variance of each oscillator
  c.backbone.linoss.heads = 1  # groups of channels and oscillators that do not see each other
  c.backbone.linoss.algorithm = 'auto'  # auto, fused, chunked, fft, associative, sequential, pallas
  c.backbone.linoss.sequence_axis = ''  # stays empty: parallel.seq splits tokens
  c.backbone.interferogram = ConfigDict(c.backbone.linoss.to_dict())  # linoss on retardations:
  c.backbone.interferogram.bidirectional = False  # or also from long to short retardations
  c.backbone.s5 = ConfigDict()
  c.backbone.s5.blocks = 2  # residual blocks
  c.backbone.s5.state = 64  # P: complex states a direction, one of each conjugate pair
  c.backbone.s5.init_blocks = 8  # equal HiPPO blocks of the initial states; divides state
  c.backbone.s5.discretisation = 'zoh'  # or bilinear
  c.backbone.s5.bidirectional = True  # each block also runs from high to low wavenumbers
  c.backbone.s5.dropout = 0.0  # rate; whole channels
  c.backbone.s5.normalisation = 'rms'  # or layer
  c.backbone.s5.dt_min = 0.001  # initial steps are log-uniform in [dt_min, dt_max], dimensionless
  c.backbone.s5.dt_max = 0.1  # a state forgets in 2 / step tokens
  c.backbone.s5.algorithm = 'auto'  # auto, fused, associative, sequential
  c.backbone.mamba = ConfigDict()
  c.backbone.mamba.blocks = 2  # residual blocks
  c.backbone.mamba.state = 16  # N: states of a channel
  c.backbone.mamba.expand = 2  # channels of the scan over backbone.width
  c.backbone.mamba.conv_width = 4  # taps of the convolution before the scan [tokens]
  c.backbone.mamba.dt_rank = 0  # rank of the token's part in the steps; 0 = ceil(width / 16)
  c.backbone.mamba.bidirectional = True  # each block also runs from high to low wavenumbers
  c.backbone.mamba.dropout = 0.0  # rate; whole channels
  c.backbone.mamba.normalisation = 'rms'  # or layer
  c.backbone.mamba.dt_min = 0.001  # initial steps, log-uniform in [dt_min, dt_max], dimensionless
  c.backbone.mamba.dt_max = 0.1  # a state forgets in 1 / (n step) tokens, n = 1 to N
  c.backbone.mamba.algorithm = 'auto'  # auto, chunked, chunked_associative, associative, sequential
  c.backbone.conv = ConfigDict()
  c.backbone.conv.blocks = 2  # residual blocks
  c.backbone.conv.kernel_cm = 126.0  # width of an undilated kernel [cm^-1]
  c.backbone.conv.dilations = (1,)  # token distances between taps, cycled over the blocks
  c.backbone.conv.depthwise = False  # taps for each channel alone; else dense over channels
  c.backbone.conv.bidirectional = True  # centred kernels; else they look back only
  c.backbone.conv.dropout = 0.0  # rate; whole channels
  c.backbone.conv.normalisation = 'rms'  # or layer
  c.backbone.conv.forward = 'auto'  # auto, lax, shifted, im2col (dense only)
  c.backbone.conv.gradient = 'auto'  # of both gradients: auto, lax, shifted, im2col (dense only)
  c.backbone.s4d = ConfigDict()
  c.backbone.s4d.blocks = 2  # residual blocks
  c.backbone.s4d.bidirectional = True  # each block also runs from high to low wavenumbers
  c.backbone.s4d.dropout = 0.0  # rate; whole channels
  c.backbone.s4d.normalisation = 'rms'  # or layer
  c.backbone.s4d.state = 64  # N: twice the pairs of poles of a channel
  c.backbone.s4d.initialisation = 'lin'  # lin (S4D-Lin), inv (S4D-Inv), legs
  c.backbone.s4d.discretisation = 'zoh'  # or bilinear
  c.backbone.s4d.dt_min = 0.001  # initial steps are log-uniform from here [tokens]
  c.backbone.s4d.dt_max = 0.1  # to here [tokens]
  c.backbone.s4 = ConfigDict()
  c.backbone.s4.blocks = 2  # residual blocks
  c.backbone.s4.bidirectional = True  # each block also runs from high to low wavenumbers
  c.backbone.s4.dropout = 0.0  # rate; whole channels
  c.backbone.s4.normalisation = 'rms'  # or layer
  c.backbone.s4.state = 64  # N: twice the pairs of poles of a channel
  c.backbone.s4.dt_min = 0.001  # initial steps are log-uniform from here [tokens]
  c.backbone.s4.dt_max = 0.1  # to here [tokens]
  c.backbone.transformer = ConfigDict()
  c.backbone.transformer.blocks = 2  # residual blocks
  c.backbone.transformer.heads = 4  # attention heads; twice their number divides the width
  c.backbone.transformer.mlp = 'gelu'  # or swiglu
  c.backbone.transformer.mlp_ratio = 4.0  # hidden channels of the MLP over the width
  c.backbone.transformer.period_min_cm = 56.0  # shortest rotary period [cm^-1]
  c.backbone.transformer.period_max_cm = 8000.0  # longest rotary period [cm^-1]
  c.backbone.transformer.bidirectional = True  # every token sees all; else those before it
  c.backbone.transformer.dropout = 0.0  # rate; whole channels
  c.backbone.transformer.normalisation = 'rms'  # or layer
  c.backbone.transformer.algorithm = 'auto'  # auto, plain, chunked, cudnn
  c.backbone.hybrid = ConfigDict()
  c.backbone.hybrid.conv_blocks = 1  # first the convolutions of the stem,
  c.backbone.hybrid.ssm_blocks = 2  # then the oscillators,
  c.backbone.hybrid.attention_blocks = 1  # then attention
  c.backbone.hybrid.kernel_cm = 126.0  # width of a convolution [cm^-1]
  c.backbone.hybrid.state = 64  # P: oscillators a direction
  c.backbone.hybrid.heads = 4  # attention heads; twice their number divides the width
  c.backbone.hybrid.bidirectional = True  # every block looks both ways; else back only
  c.backbone.hybrid.dropout = 0.0  # rate; whole channels
  c.backbone.hybrid.normalisation = 'rms'  # or layer

  c.encoder = ConfigDict()  # of tasks that ask one thing of a whole spectrum
  c.encoder.name = 'tokens'  # file in spectra_jax/encoders; other tasks have no other one
  c.encoder.tokens = ConfigDict()  # config.tokenize and config.backbone
  c.encoder.compact_cnn = ConfigDict()
  c.encoder.compact_cnn.channels = ('scaled',)  # scaled, snv, derivative, root_derivative
  c.encoder.compact_cnn.taps = 11  # of the derivative, odd [points]
  c.encoder.compact_cnn.widths = (16, 32, 64)  # channels of each convolution
  c.encoder.compact_cnn.kernels = (21, 11, 5)  # taps of each convolution [points of its input]
  c.encoder.compact_cnn.pools = (2, 2, 2)  # max-pool after each convolution [points]; 1 = none
  c.encoder.compact_cnn.stride = 1  # of the first convolution [points]
  c.encoder.compact_cnn.slope = 0.01  # of the leaky ReLU below zero

  c.head = ConfigDict()
  c.head.name = 'reconstruct'  # file in spectra_jax/heads; its lattice is the tokeniser's
  c.head.reconstruct = ConfigDict()
  c.head.non_negative = ConfigDict()
  c.head.non_negative.tails = 'power_law'  # of k outside the window; or none
  c.head.non_negative.index = 1.4  # of refraction before training
  c.head.non_negative.scale = 0.05  # of k, and of the dispersion from outside the window
  c.head.integral_matched = ConfigDict()
  c.head.integral_matched.low_cm = 0.0  # where the integral begins [cm^-1]; 0 = with the axis
  c.head.integral_matched.high_cm = 0.0  # where it ends [cm^-1]; 0 = with the axis
  c.head.integral_matched.power = 0  # of the wavenumber under it; 1 for the f-sum of k
  c.head.oscillators = ConfigDict()
  c.head.oscillators.gamma_min_cm = 12.0  # least FWHM of a line, 2.5 axis steps at least [cm^-1]
  c.head.oscillators.width_cm = 16.0  # scale of widths and areas of lines [cm^-1]
  c.head.oscillators.eps_inf = 2.0  # eps above all lines, n^2 far from absorption
  c.head.paired = ConfigDict()
  c.head.paired.modes = 96  # K: lines, half of them g and half u with an inversion centre
  c.head.paired.fwhm_min_cm = 8.0  # least full width at half maximum [cm^-1]
  c.head.classify = ConfigDict()
  c.head.classify.pool = 'mean'  # of features along the axis: mean, max, flatten
  c.head.classify.norm = True  # RMSNorm of the features
  c.head.classify.hidden = 0  # channels of a dense layer after the pool; 0 = none
  c.head.classify.dropout = 0.0  # rate, before the classifier
  c.head.classify.cosine_scale = 0.0  # logits are this times a cosine; 0 = linear
  c.head.regress = ConfigDict()
  c.head.regress.pool = 'flatten'  # of features along the axis: mean, max, flatten
  c.head.regress.norm = True  # RMSNorm of the features
  c.head.regress.hidden = 0  # channels of a dense layer after the pool; 0 = none
  c.head.regress.dropout = 0.0  # rate, before the last layer
  c.head.embedding = ConfigDict()
  c.head.latent_decoder = ConfigDict()
  c.head.latent_decoder.hidden = 256  # channels between latents and splines
  c.head.latent_decoder.low_cm = 350.0  # any axis lies above it [cm^-1]
  c.head.latent_decoder.high_cm = 4050.0  # and below it [cm^-1]
  c.head.transfer_operator = ConfigDict()
  c.head.transfer_operator.width = 32  # channels of the Fourier neural operator
  c.head.transfer_operator.blocks = 2  # spectral convolutions; 1 = a linear operator
  c.head.transfer_operator.modes = 128  # retardations below modes / period_cm
  c.head.transfer_operator.period_cm = 4608.0  # more than the axis is long [cm^-1]
  c.head.molecule = ConfigDict()  # spectra as sums over atoms, of task retrieval
  c.head.molecule.names = ('ir', 'raman')  # of the spectra
  c.head.molecule.hidden = 256  # channels between an atom and its splines
  c.head.molecule.spacing_cm = 12.0  # of the knots [cm^-1]
  c.head.molecule.low_cm = 350.0  # any axis lies above it [cm^-1]
  c.head.molecule.high_cm = 4050.0  # and below it [cm^-1]
  c.head.unconstrained = ConfigDict()
  c.head.unconstrained.names = ('n', 'k')  # of the spectra it gives

  c.foundation = ConfigDict()  # spectra_jax/foundation.py, after tokenize and backbone
  c.foundation.mixture = ConfigDict()  # of experts, two for each token
  c.foundation.mixture.experts = 0  # E; 0 = no mixture
  c.foundation.mixture.mlp_ratio = 1.0  # hidden channels of one expert over the width
  c.foundation.mixture.normalisation = 'rms'  # or layer
  c.foundation.attention = ConfigDict(c.backbone.transformer.to_dict())  # after the mixture
  c.foundation.attention.blocks = 0  # 0 = no attention
  c.foundation.bottleneck = ConfigDict()  # variational, on weighted means of the tokens
  c.foundation.bottleneck.chem = 128  # size of the chemistry's latent; 0 = no bottleneck
  c.foundation.bottleneck.inst = 64  # size of the instrument's latent; 0 = there is none
  c.foundation.bottleneck.queries = 8  # weighted means that it reads
  c.foundation.embedding = 128  # numbers of the embedding
  c.foundation.heads = ConfigDict()  # output -> file in spectra_jax/heads; '' = not there
  c.foundation.heads.reconstruction = 'reconstruct'  # tokens -> the spectrum, hidden bands too
  c.foundation.heads.cross = ''  # tokens -> the other kind of spectrum; reconstruct
  c.foundation.heads.physics = ''  # tokens -> n and k of a medium; non_negative, oscillators
  c.foundation.heads.decoded = ''  # latents -> the spectrum; latent_decoder
  c.foundation.heads.transferred = ''  # -> as another instrument gives it; transfer_operator
  c.foundation.heads.properties = ''  # chemistry -> numbers of the molecule; regress
  c.foundation.heads.embedding = ''  # chemistry -> unit vector; embedding

  c.loss = ConfigDict()
  c.loss.weights = ConfigDict()
  c.loss.weights.model = ConfigDict({'masked_mse': 1.0})  # term -> number or ((step, weight), ...)

  c.train = ConfigDict()
  c.train.steps = 6000  # updates
  c.train.batch_size = 32  # global, over all devices
  c.train.members = 1  # models of whole spectra side by side, whose predictions are averaged
  c.train.accumulate = 1  # micro-batches a device goes through in one step
  c.train.activations = 'float32'  # or bfloat16; parameters and the filter stay float32
  c.train.eval_every = 500  # steps
  c.train.eval_batch_size = 64  # global; changes no number

  c.optimizer = ConfigDict()
  c.optimizer.name = 'adamw'  # or muon, sgd
  c.optimizer.lr = 2e-3  # peak learning rate
  c.optimizer.ssm_lr_factor = 0.5  # on A, G and steps ('dynamics') of state-space layers
  c.optimizer.warmup_steps = 200  # fewer than train.steps
  c.optimizer.final_lr_ratio = 0.01  # end of the cosine over the peak
  c.optimizer.weight_decay = 0.01  # matrices only: no norm, bias or SSM dynamics
  c.optimizer.b1 = 0.9  # of Adam
  c.optimizer.b2 = 0.99  # of Adam
  c.optimizer.clip_norm = 1.0  # global gradient norm; 0 = no clipping
  c.optimizer.ema_decay = 0.0  # 0 = no moving average; evaluation uses it when there is one

  c.parallel = ConfigDict()
  c.parallel.map = 'shard_map'  # or pmap (one process only)
  c.parallel.devices = 0  # 0 = all
  c.parallel.fsdp = 1  # devices over which one state is split, a divisor of devices; 1 = whole
  c.parallel.seq = 1  # devices that share the tokens of one example (linoss only); 1 = not split

  c.checkpoint = ConfigDict()
  c.checkpoint.every = 500  # steps
  c.checkpoint.keep_last = 2  # newest ones, at least 2: a damaged one needs another behind it
  c.checkpoint.keep_best = 1  # by best_metric; reports and weights are of the newest
  c.checkpoint.best_metric = 'nre'  # among the validation metrics of the task
  c.checkpoint.best_mode = 'min'  # or max

  c.log = ConfigDict()
  c.log.every = 50  # steps
  c.log.progress = True  # a progress bar on standard error
  c.log.tensorboard = True  # event files in workdir/tb
  c.log.figures = True  # PNG files in workdir/figures
  c.log.compile_cache = ''  # folder of compiled programs; '' = ~/.cache/spectra_jax/compiled
  return c.lock()
