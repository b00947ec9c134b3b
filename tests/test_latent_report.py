"""Latents of known making get the scores that they were made for."""

import dataclasses

import numpy as np
import pytest

from spectra_jax import latent_report
from spectra_jax.latent_report import Latents
from spectra_jax.views import NEW, PROTOCOL

KINDS = ('ir', 'raman')
N, K, V, L = 120, 2, 5, 16  # views: protocol, lender, new, two on training instruments
RNG = np.random.default_rng(0)
PROPERTIES = RNG.normal(size=(N, 3))
NUMBER = np.stack(
  [(np.arange(N)[:, None] + v) % 6 + 1 + np.zeros((N, K), int) for v in range(V)], 2
)


def planted(**changes):
  """z_chem says the properties, z_inst the instrument, and what is decoded is the truth."""
  chem = PROPERTIES[:, None, None] + 0.01 * RNG.normal(size=(N, K, V, 3))
  inst = np.eye(7)[NUMBER] + 0.01 * RNG.normal(size=(N, K, V, 7))
  clean = RNG.normal(size=(N, K, V, L))
  swapped = RNG.normal(size=(N, K, 1, L))
  outputs = {
    'chem_mean': chem,
    'chem_log_variance': np.full_like(chem, -4.0),
    'inst_mean': inst,
    'inst_log_variance': np.full_like(inst, -4.0),
    'decoded': clean,
    'swapped': swapped,
    'physics': 0.5 * clean,
  }
  return Latents(
    outputs=outputs | changes,
    targets={'number': NUMBER, 'noisy': clean, 'clean': clean, 'swapped': swapped},
    mean_KxL=np.zeros((K, L)),
    properties_NxY=PROPERTIES,
    group_N=np.array([f'C{n // 2}' for n in range(N)]),
    thorough=True,
  )


def values(latents):
  return {name: own.value for name, own in latent_report.terms(latents, KINDS).items()}


def test_latents_that_are_apart_score_as_such():
  found = values(planted())
  for kind in KINDS:
    assert found[f'{kind}.instrument_inst.model'] == 1.0
    assert abs(found[f'{kind}.instrument_chem.model'] - 1 / 6) < 0.08
    assert abs(found[f'{kind}.instrument_chem_nonlinear.model'] - 1 / 6) < 0.08
    assert found[f'{kind}.instrument_chem.chance'] == pytest.approx(1 / 6)
    assert found[f'{kind}.properties.model'] < 0.05
    assert found[f'{kind}.properties_new.model'] < 0.05
    assert found[f'{kind}.properties.spectrum'] > 0.9  # spectra of noise
    assert found[f'{kind}.swap.model'] == found[f'{kind}.decoded.model'] == 0.0
    assert found[f'{kind}.physics.model'] == pytest.approx(0.25)  # half of it, beside a mean of 0
    assert abs(found[f'{kind}.swap.identity'] - 2.0) < 0.2  # two spectra of noise


def test_the_operator_is_judged_by_what_the_reference_sees():
  reference = planted().targets['clean'][:, :, PROTOCOL : PROTOCOL + 1]
  found = planted(transferred=reference)
  found.targets['clean'][:, :, PROTOCOL] = reference[:, :, 0]
  found = values(found)
  for kind in KINDS:
    assert found[f'{kind}.transfer.model'] == 0.0
    assert abs(found[f'{kind}.transfer.identity'] - 2.0) < 0.2  # two spectra of noise


def test_an_instrument_in_the_chemistry_is_found():
  both = planted()
  mixed = np.concatenate([both.outputs['chem_mean'], 0.3 * both.outputs['inst_mean']], -1)
  wide = np.full_like(mixed, -4.0)
  found = values(planted(chem_mean=mixed, chem_log_variance=wide))
  assert found['ir.instrument_chem.model'] > 0.9
  summary = latent_report.summary(
    latent_report.terms(planted(chem_mean=mixed, chem_log_variance=wide), KINDS), KINDS
  )
  assert abs(summary['probe_gap']) < 0.1
  assert summary['probe_inst'] == 1.0


def test_samples_tell_no_more_than_their_noise_lets_through():
  both = planted()
  mixed = np.concatenate([both.outputs['chem_mean'], 0.1 * both.outputs['inst_mean']], -1)
  found = [
    values(planted(chem_mean=mixed, chem_log_variance=np.full_like(mixed, log_variance)))
    for log_variance in (-12.0, 2.0)
  ]
  assert found[0]['ir.instrument_chem_sampled.model'] > 0.9
  assert found[1]['ir.instrument_chem_sampled.model'] < 0.35
  assert found[1]['ir.instrument_chem.model'] > 0.9


def test_what_was_erased_is_asked_for_the_instrument_and_for_properties():
  both = planted()
  mixed = np.concatenate([both.outputs['chem_mean'], both.outputs['inst_mean']], -1)
  erased = np.concatenate([both.outputs['chem_mean'], 0 * both.outputs['inst_mean']], -1)
  wide = np.full_like(mixed, -4.0)
  found = values(planted(chem_mean=mixed, chem_erased=erased, chem_log_variance=wide))
  assert found['ir.instrument_chem.model'] > 0.9
  assert found['ir.instrument_chem_erased.model'] < 0.25
  assert found['ir.instrument_chem_erased_nonlinear.model'] < 0.25
  assert found['ir.properties_erased.model'] < 0.05 < found['ir.properties_sampled.model']


def test_an_instrument_that_shifts_the_chemistry_spoils_it_for_the_new_one_alone():
  moved = planted().outputs['chem_mean'].copy()
  moved[:, :, NEW] += 3.0
  found = values(planted(chem_mean=moved))
  assert found['ir.properties.model'] < 0.05
  assert found['ir.properties_new.model'] > 1.0


def test_units_count_what_moves_and_nats_what_is_said():
  latents = planted()
  still = dataclasses.replace(
    latents, outputs=latents.outputs | {'chem_mean': 0 * latents.outputs['chem_mean']}
  )
  found, lost = latent_report.units(latents), latent_report.units(still)
  assert (found['active_chem'], lost['active_chem']) == (3, 0)
  assert found['active_inst'] == 6
  spread = 3 * 0.5 * (np.exp(-4) + 4 - 1)
  np.testing.assert_allclose(lost['nats_chem'], spread, rtol=1e-6)
  assert found['nats_chem'] > spread + 1


def test_a_model_without_instruments_or_decoder_has_fewer_scores():
  latents = planted()
  few = dataclasses.replace(
    latents, outputs={k: x for k, x in latents.outputs.items() if k.startswith('chem')}
  )
  found = latent_report.terms(few, KINDS)
  assert 'ir.properties.model' in found
  assert not [name for name in found if 'inst.' in name or 'swap' in name]
  assert 'probe_gap' not in latent_report.summary(found, KINDS)
  assert set(latent_report.units(few)) == {'active_chem', 'nats_chem'}
