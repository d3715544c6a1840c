"""``@phlo.quality`` writes declarations, and says at import what is wrong with its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import phlo
from phlo.declarations import Quality, declared
from phlo.errors import InvalidDeclaration
from phlo.quality import NullCheck, RangeCheck, phlo_quality

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECK = NullCheck(columns=["sgv"])


@pytest.fixture(autouse=True)
def nothing_declared() -> Iterator[None]:
    kept = list(declared)
    declared.clear()
    yield
    declared[:] = kept


def refused(**options: Any) -> InvalidDeclaration:
    with pytest.raises(InvalidDeclaration) as caught:

        @phlo_quality(**options)
        def readings_quality() -> None: ...

    assert declared == []
    assert "test_decorator.py" in str(caught.value)
    assert "(readings_quality)" in str(caught.value)
    return caught.value


def test_the_spec_example_is_declared_as_printed() -> None:
    @phlo.quality(
        table="silver.fct_glucose_readings",
        checks=[
            NullCheck(columns=["sgv", "reading_timestamp"]),
            RangeCheck(column="sgv", min_value=20, max_value=600),
        ],
        group="nightscout",
        blocking=True,
    )
    def glucose_quality() -> None:
        pass

    (record,) = declared
    assert isinstance(record, Quality)
    assert (record.name, record.table, record.group) == ("glucose_quality", "silver.fct_glucose_readings", "nightscout")
    assert record.blocking is True
    assert record.scope is None
    assert record.checks == (NullCheck(["sgv", "reading_timestamp"]), RangeCheck("sgv", 20, 600))
    assert record.source.function == "glucose_quality"
    assert record.source.file.endswith("test_decorator.py")


def test_the_function_stays_what_it_was() -> None:
    @phlo.quality(table="raw.readings", checks=[CHECK], description="Readings have values.")
    def readings_quality() -> str:
        """Not this one."""
        return "as before"

    assert readings_quality() == "as before"
    assert declared[0].description == "Readings have values."


def test_the_docstring_describes_the_checks() -> None:
    @phlo.quality(table="raw.readings", checks=(CHECK,), blocking=False, scope="table")
    def readings_quality() -> None:
        """Readings have values."""

    (record,) = declared
    assert isinstance(record, Quality)
    assert (record.description, record.blocking, record.scope) == ("Readings have values.", False, "table")


def test_phlo_quality_is_the_decorator_and_a_package() -> None:
    import phlo.quality as door

    assert phlo.quality is phlo_quality
    # After `import phlo.quality` the name is bound by the parent's attribute: the decorator.
    assert door is phlo_quality


def test_without_parentheses_or_an_arguments_name_it_shows_how_to_write_it() -> None:
    def readings_quality() -> None: ...

    decorate: Any = phlo_quality  # a type checker refuses both
    for wrong, says in (
        (lambda: decorate(readings_quality), "(readings_quality): it stands without parentheses"),
        (lambda: decorate("raw.readings", checks=[CHECK])(readings_quality), "`'raw.readings'` has no name"),
    ):
        with pytest.raises(InvalidDeclaration) as caught:
            wrong()
        assert says in str(caught.value)
        assert caught.value.next_step.startswith('write @phlo.quality(table="raw.readings", checks=[')
    assert declared == []


def test_a_wrong_argument_gets_the_nearest_right_name() -> None:
    error = refused(tabel="raw.readings", checks=[CHECK])
    assert "there is no argument `tabel`; did you mean `table`?" in str(error)
    assert "scope" in error.next_step


@pytest.mark.parametrize("missing", ["table", "checks"])
def test_a_missing_argument_is_named(missing: str) -> None:
    options = {"table": "raw.readings", "checks": [CHECK]}
    del options[missing]
    assert f"the argument `{missing}` is missing" in str(refused(**options))


@pytest.mark.parametrize("table", ["readings", "", "a.b.c", "raw.x@main", "raw.", 5, "raw.gl ucose"])
def test_a_table_needs_its_schema(table: object) -> None:
    error = refused(table=table, checks=[CHECK])
    assert f"table=`{table}` is not schema.table" in str(error)
    assert 'table="silver.fct_glucose_readings"' in error.next_step


@pytest.mark.parametrize("checks", [[], (), "NullCheck", CHECK])
def test_checks_are_a_list_that_is_not_empty(checks: object) -> None:
    assert "is not a list of checks" in str(refused(table="raw.readings", checks=checks))


def test_a_class_in_place_of_a_check_is_told_apart() -> None:
    error = refused(table="raw.readings", checks=[CHECK, NullCheck])
    assert "checks[1] is the class `NullCheck`" in str(error)
    assert error.next_step == "call it: NullCheck(…)"


def test_what_can_not_be_executed_is_no_check() -> None:
    assert "checks[0]=`'sgv > 20'` is not a check" in str(refused(table="raw.readings", checks=["sgv > 20"]))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"blocking": "yes"}, "blocking=`yes` is neither True nor False"),
        ({"blocking": 1}, "blocking=`1` is neither True nor False"),
        ({"group": ""}, "group=`` is not a name"),
        ({"group": None}, "group=`None` is not a name"),
        ({"scope": "chnged"}, 'scope=`chnged` is none of "changed", "table"; did you mean `changed`?'),
        ({"scope": True}, 'scope=`True` is none of "changed", "table"'),
    ],
)
def test_a_wrong_value_is_named_with_its_argument(options: dict[str, Any], complaint: str) -> None:
    assert complaint in str(refused(table="raw.readings", checks=[CHECK], **options))
