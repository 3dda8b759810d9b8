"""Whatever a site file holds, its author reads what is wrong with it, in bounded time, and never a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lindos.catalogue import load_catalogue
from lindos.errors import CatalogueError, InfeasibleError, SpecError
from lindos.plan.facts import gather
from lindos.spec import load_spec
from lindos.spec.load import assumed_products

if TYPE_CHECKING:
    from lindos.errors import LindosError

ROOT = Path(__file__).parents[2]
SITES = [p.read_text(encoding="utf-8") for p in sorted(ROOT.glob("inventories/*/site.yaml"))]
SLOWEST_MS = 10_000
"""For one file, on a machine that does something else as well; a real one takes 50 ms."""

NASTY = [
    *"{}[]:,&*!|>'\"%@`#-?~\t\n\r\\<= ",
    ": ", "- ", "? ", "<<: ", "&a ", "*a", "!!str ", "!!python/object:os.system ", "|\n", ">-\n", "---\n", "...\n",
    "%YAML 1.1\n", "%TAG ! x\n", "null", "~", "true", "yes", "NaN", ".nan", "-.inf", "1e999", "0x1f", "0777", "1_0", "-1", "0",
    "9" * 400, "1e12", "8 MW", "8MW", "2.4 m", "2024-13-45", "2024-06-01T00:00:00Z", "12:30:45", "[a, b]", "{a: b}", "{}", "[]",
    "\u0000", "\u001b[2J", "\ufeff", "\u2028", "\u0085", "\ud7ff", "\U0001f600", "e\u0301", "a" * 3000, "[" * 60, "{a: " * 60,
    "sn5600", "dell_xe9680", "h100_sxm", "gpus", "mw", "kw", "name", "facts: {psu: {count: 1}}", "lindos: 2",
]  # fmt: skip


@st.composite
def broken_sites(draw: st.DrawFn) -> str:
    """The text of a real site file, changed in one to four places."""
    text = draw(st.sampled_from(SITES))
    for _ in range(draw(st.integers(1, 4))):
        a = draw(st.integers(0, len(text)))
        b = min(len(text), a + draw(st.integers(0, 40)))
        lines = text.splitlines(keepends=True)
        change = draw(st.sampled_from(["insert", "replace", "cut", "repeat", "value", "key", "line", "indent", "end"]))
        if change == "insert":
            text = text[:a] + draw(st.sampled_from(NASTY) | st.text(max_size=5)) + text[a:]
        elif change == "replace":
            text = text[:a] + draw(st.sampled_from(NASTY) | st.text(max_size=5)) + text[b:]
        elif change == "cut":
            text = text[:a] + text[b:]
        elif change == "repeat":
            text = text[:b] + text[a:b] + text[b:]
        elif change == "end":
            text = text[:a]
        elif change in {"value", "key"}:
            colons = [i for i in range(len(text)) if text.startswith(": ", i)]
            if colons:
                at = draw(st.sampled_from(colons))
                end = next((i for i in range(at + 2, len(text)) if text[i] in ",}\n"), len(text))
                word = draw(st.sampled_from(NASTY))
                start = max(text.rfind(c, 0, at) for c in "{ \n") + 1
                text = text[: at + 2] + word + text[end:] if change == "value" else text[:start] + word + text[at:]
        elif lines:
            i = draw(st.integers(0, len(lines) - 1))
            moved = lines.pop(i)
            if change == "line":
                lines.insert(draw(st.integers(0, len(lines))), moved)
            else:
                lines.insert(i, " " * draw(st.integers(1, 5)) + moved)
            text = "".join(lines)
    return text


def check_places(error: LindosError, file: Path) -> None:
    """Each problem stands at a place that is in the file, and shows the line that stands there."""
    lines = file.read_bytes().decode("utf-8-sig", errors="replace").splitlines() or [""]
    for problem in error.problems:
        assert problem.message
        if problem.place is None:
            assert not isinstance(error, SpecError)
            continue
        assert problem.place.file == str(file)
        assert 1 <= problem.place.line <= len(lines)
        assert problem.place.text in {lines[problem.place.line - 1], ""}
        assert 1 <= problem.place.column <= len(problem.place.text) + 1
    shown = error.render()
    assert all(c.isprintable() or c in "\n\t" for c in shown)


def read(file: Path) -> LindosError | None:
    """A site file -> the error that its author meets, if any. Anything else that is raised fails the test."""
    try:
        spec = load_spec(file)
    except SpecError as err:
        return err
    try:
        gather(spec, load_catalogue(assumed_products(spec)))
    except (CatalogueError, InfeasibleError) as err:
        return err
    return None


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site") / "site.yaml"


FUZZ = settings(deadline=SLOWEST_MS, suppress_health_check=[HealthCheck.too_slow], max_examples=150)


@FUZZ
@given(text=broken_sites())
@example(text="lindos: 1\nsite: &a [*a]\n")
@example(text="? [a]\n: b\n")
@example(text="a: !<tag:yaml.org,2002:int> x\n")
def test_a_changed_site_file_is_read_or_refused_with_places(text: str, file: Path) -> None:
    """One to four changes to a real site file end in a spec or in problems that stand inside the file."""
    file.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    error = read(file)
    if error is not None:
        check_places(error, file)


@FUZZ
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", errors="surrogatepass")))
@example(data=b"%YAML 1.2\n---\n")
@example(data=b"%YAML a\n")
@example(data=b"\xef\xbb\xbf")
@example(data=b"\n\n\n")
@example(data=b"!")
@example(data=b"&")
@example(data=b"- \r- \x85")
def test_any_bytes_are_refused_with_places(data: bytes, file: Path) -> None:
    """What is no site file at all is refused as well as one that is nearly right."""
    file.write_bytes(data)
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    check_places(caught.value, file)
