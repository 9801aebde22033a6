"""Puts into the wheel what the app keeps beside its packages; everything else stands in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# Found from core's own place, in a checkout as in an installed copy: core.base.settings.PROJECT_ROOT.
BESIDE = (".streamlit/config.toml", "models/starter/*")


class BuildWithFiles(build_py):
    """``build_py`` with the files of ``BESIDE``; an editable install uses those of the checkout."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if self.editable_mode:
            return
        for pattern in BESIDE:
            for file in sorted(Path().glob(pattern)):
                target = Path(self.build_lib) / file
                target.parent.mkdir(parents=True, exist_ok=True)
                self.copy_file(str(file), str(target))


setup(cmdclass={"build_py": BuildWithFiles})
