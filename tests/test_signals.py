"""Every law says for every kind and state whether it may be asked, and why not."""

import importlib
import itertools

import pytest

from spectra_jax import model
from spectra_jax.losses.kramers_kronig import kramers_kronig
from spectra_jax.losses.non_negativity import non_negativity
from spectra_jax.losses.passivity import passivity
from spectra_jax.signals import SIGNALS, Domain
from spectra_jax.spectra import STATES

MODULES = {
  name: importlib.import_module(f'spectra_jax.losses.{name}') for name in model.names('losses')
}
# Others are distances from data or between latents, no laws.
DOMAINS = {name: module.DOMAIN for name, module in MODULES.items() if hasattr(module, 'DOMAIN')}
PAIR = {'edge': 0.02, 'floor': 1e-12, 'tolerance': 0.0}
ALL = [(kind,) for kind in SIGNALS] + list(itertools.product(SIGNALS, repeat=2))


@pytest.mark.parametrize('name', DOMAINS)
def test_every_kind_is_admitted_or_refused_with_a_reason(name):
  domain = DOMAINS[name]
  assert set(domain.kinds) <= set(ALL)
  assert set(domain.why) <= {*SIGNALS, *STATES}
  for kinds in ALL:
    if kinds in domain.kinds:
      domain.check(*kinds, state=domain.states[0])
      continue
    with pytest.raises(ValueError, match=f'^{domain.law} cannot be asked of .*: .*; expected '):
      domain.check(*kinds, state=domain.states[0])


@pytest.mark.parametrize('name', DOMAINS)
def test_every_state_is_admitted_or_refused_with_a_reason(name):
  domain = DOMAINS[name]
  assert set(domain.states) <= set(STATES)
  for state in set(STATES) - set(domain.states):
    with pytest.raises(ValueError, match=f'of the state {state}: .*; expected '):
      domain.check(*domain.kinds[0], state=state)
  for state, kinds in itertools.product(domain.states, domain.kinds):
    domain.check(*kinds, state=state)


@pytest.mark.parametrize(
  ('call', 'words'),
  [
    (
      lambda: non_negativity(None, kind='absorbance', state='snv'),
      r'non-negativity cannot be asked of the state snv: SNV takes the mean off .*; expected meas',
    ),
    (
      lambda: non_negativity(None, kind='ir', state='derivative'),
      'a derivative changes its sign at every maximum',
    ),
    (
      lambda: kramers_kronig(None, None, None, **PAIR, kinds=('absorbance',), state='measured'),
      'Kramers-Kronig cannot be asked of absorbance: any k >= 0 on a finite band is the imaginary '
      'part of some causal response, .*; expected n with k',
    ),
    (
      lambda: passivity(None, full_scale=1.0, kinds=('absorbance',), state='measured'),
      'absorbance has no upper bound',
    ),
    (lambda: non_negativity(None, kind='xray', state='snv'), "kind is 'xray', expected one of"),
    (lambda: non_negativity(None, kind='k', state='cooked'), "state is 'cooked', expected one"),
  ],
)
def test_losses_refuse_before_they_compute(call, words):
  with pytest.raises(ValueError, match=words):
    call()


def test_a_refused_state_without_a_reason_is_a_fault_of_the_table():
  domain = Domain('law', (('k',),), ('measured',), {}, 'so it is')
  with pytest.raises(KeyError):
    domain.check('k', state='snv')
