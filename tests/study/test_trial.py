import msgspec
import pytest
from support.examples import TRIAL

from bench.study.trial import CODE, DIGESTS, FIELDS, GROUPS, Search, TrialSetting, changed, flat_fields, grouped


def test_names_of_fields_are_unique_over_the_groups():
    assert len(FIELDS) == sum(len(msgspec.structs.fields(group)) for group in GROUPS.values())
    assert set(DIGESTS) < set(FIELDS)


def test_a_trial_is_its_fields():
    assert list(flat_fields(TRIAL)) == list(FIELDS)
    assert grouped(flat_fields(TRIAL)) == TRIAL


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_but_digests_of_code_changes_the_key_and_the_search_alone_does_not_change_the_build(name):
    other = changed(TRIAL, **{name: flat_fields(TRIAL)[name] + (1 if FIELDS[name] is int else "x")})
    assert (other.key == TRIAL.key) == (name in CODE)
    assert (other.code == TRIAL.code) == (name not in CODE)
    searched = [field.name for field in msgspec.structs.fields(Search)]
    assert (other.build == TRIAL.build) == (name in (*searched, *CODE))


def test_a_new_field_with_a_default_leaves_keys_as_they_are(monkeypatch):
    class Wider(Search, frozen=True, kw_only=True):
        beam: int = 1

    wider = Wider(**msgspec.structs.asdict(TRIAL.search))
    assert msgspec.structs.replace(TRIAL, search=wider).key == TRIAL.key
    assert msgspec.structs.replace(TRIAL, search=msgspec.structs.replace(wider, beam=2)).key != TRIAL.key


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_is_all_but_order_and_seeds(name):
    other = changed(TRIAL, **{name: flat_fields(TRIAL)[name] + (1 if FIELDS[name] is int else "x")})
    assert (other.setting == TRIAL.setting) == (
        name in ("order", "order_params", "order_code", "order_seed", "build_seed")
    )
    assert set(flat_fields(TrialSetting(**{f: getattr(TRIAL, f) for f in TrialSetting.__struct_fields__}))) < set(
        FIELDS
    )
