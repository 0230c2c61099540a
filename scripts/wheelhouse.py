"""Every wheel that livestem needs on a computer without a network, in one folder: ``make wheelhouse``.

pip downloads for another platform but reads requirements as this computer would, so that what only Windows needs would
be missing. Here the requirements of each wheel are read as the other computer will, and versions are those of
constraints.txt.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import click
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("files", "manifold")
HERE = re.sub(r"\W", "_", sysconfig.get_platform())
PYTHON = ".".join(map(str, sys.version_info[:2]))
TAG = re.compile(r"(?P<system>win|macosx_\d+_\d+|manylinux_2_(?P<glibc>\d+)|linux)_(?P<machine>\w+)")
SYSTEMS = {
    "win": ("win32", "Windows", "nt"),
    "mac": ("darwin", "Darwin", "posix"),
    "man": ("linux", "Linux", "posix"),
    "lin": ("linux", "Linux", "posix"),
}
"""By the first letters of a tag: sys_platform, platform_system, os_name."""
INSTALL = """\
livestem {version} for {tag}, Python {python}. In this folder, with that Python and without a network:

{python_command} -m venv livestem-env
{programs}python -m pip install --no-index --find-links . livestem[{extras}]

Then see what this computer lacks: {programs}livestem doctor
livestem has been tried on Linux (Debian 12, x86-64) only.
"""


@click.command()
@click.option(
    "--platform", "tag", default=HERE, show_default=True, help="As in the names of wheels: win_amd64."
)
@click.option("--python-version", "python", default=PYTHON, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("wheelhouse"), show_default=True)
def main(tag: str, python: str, out: Path) -> None:
    """Collect the wheels in a folder of their own, with a text that says how to install them."""
    if not TAG.fullmatch(tag):
        raise click.BadParameter(
            f"{tag}. Expected such as manylinux_2_28_x86_64, win_amd64, macosx_14_0_arm64."
        )
    folder = out / f"{tag}-{python}"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    target = [] if (tag, python) == (HERE, PYTHON) else target_options(tag, python)
    wheels = collect(folder, target, environment_of(tag, python))
    text = install_text(tag, python, str(parse_wheel_filename(wheels[0].name)[1]))
    (folder / "INSTALL.txt").write_text(text, encoding="utf-8")
    n_bytes = sum(wheel.stat().st_size for wheel in wheels)
    click.echo(f"{len(wheels)} wheels, {n_bytes / 1e6:.0f} MB, in {folder}\n\n{text}")


def collect(folder: Path, target: list[str], environment: dict[str, str]) -> list[Path]:
    """Livestem's wheel first, then those that it needs, those that these need, and so on."""
    shutil.rmtree(
        ROOT / "build" / "lib", ignore_errors=True
    )  # setuptools would pack what has been deleted since
    pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    wheels = list(folder.glob("livestem-*.whl"))
    pins = pinned(environment)
    wanted, seen = list(requirements_of(wheels[0], environment, EXTRAS)), set[tuple[str, str]]()
    while wanted:
        texts = sorted({f"{name_of(need)}{pins.get(name_of(need), need.specifier)}" for need in wanted})
        pip("download", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), *target, *texts)
        wheel_of = {str(parse_wheel_filename(path.name)[0]): path for path in folder.glob("*.whl")}
        following = []
        for need in wanted:
            following += requirements_of(wheel_of[name_of(need)], environment, need.extras)
            seen |= {(name_of(need), extra) for extra in ("", *need.extras)}
        wanted = [
            need for need in following if not seen >= {(name_of(need), extra) for extra in ("", *need.extras)}
        ]
        wheels = [*wheels[:1], *sorted(path for path in wheel_of.values() if path != wheels[0])]
    return wheels


def name_of(need: Requirement) -> str:
    """Its name as registries compare it."""
    return canonicalize_name(need.name)


def pinned(environment: dict[str, str]) -> dict[str, str]:
    """Versions that livestem is tested with, as far as they are meant for that computer."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    needs = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {
        name_of(need): str(need.specifier)
        for need in needs
        if need.marker is None or need.marker.evaluate(environment)
    }


def requirements_of(wheel: Path, environment: dict[str, str], extras: Iterable[str]) -> Iterator[Requirement]:
    """What a wheel with these extras needs on that computer."""
    with ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        metadata = Parser().parsestr(archive.read(name).decode())
    for text in metadata.get_all("Requires-Dist") or ():
        need = Requirement(text)
        asked = [{**environment, "extra": extra} for extra in ("", *extras)]
        if need.marker is None or any(need.marker.evaluate(one) for one in asked):
            yield need


def target_options(tag: str, python: str) -> list[str]:
    """Pip's options for another computer; a new manylinux takes the wheels of the older ones too."""
    tags, match = [tag], TAG.fullmatch(tag)
    if match and match["glibc"]:
        tags = [f"manylinux_2_{minor}_{match['machine']}" for minor in range(int(match["glibc"]), 4, -1)]
        tags += [f"manylinux{year}_{match['machine']}" for year in ("2014", "2010", "1")]
    return [*(part for one in tags for part in ("--platform", one)), "--python-version", python]


def environment_of(tag: str, python: str) -> dict[str, str]:
    """What the markers of requirements ask of a computer."""
    here: dict[str, str] = {**default_environment()}  # type: ignore[dict-item]
    if (tag, python) == (HERE, PYTHON):
        return here
    machine = TAG.fullmatch(tag)["machine"]  # type: ignore[index]
    keys = ("sys_platform", "platform_system", "os_name")
    return {
        **here,
        **dict(zip(keys, SYSTEMS[tag[:3]], strict=True)),
        "platform_machine": machine.upper() if tag.startswith("win") else machine,
        "python_version": python,
        "python_full_version": f"{python}.0",
    }


def install_text(tag: str, python: str, version: str) -> str:
    """Two lines to type, and what was tried."""
    is_windows = tag.startswith("win")
    return INSTALL.format(
        version=version,
        tag=tag,
        python=python,
        python_command=f"py -{python}" if is_windows else f"python{python}",
        programs="livestem-env\\Scripts\\" if is_windows else "livestem-env/bin/",
        extras=",".join(EXTRAS),
    )


def pip(*arguments: str) -> None:
    """Run this Python's pip; where it fails it has said why."""
    done = subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], check=False)
    if done.returncode:
        click.echo(f"The wheelhouse is not complete: `pip {arguments[0]}` failed, see above.", err=True)
        sys.exit(5)


if __name__ == "__main__":
    main()
