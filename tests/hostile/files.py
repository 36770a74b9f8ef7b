"""Files that people and attackers send, made in memory: those to be refused, those to be read."""

from __future__ import annotations

from tests.hostile.dicoms import DICOMS, READ_DICOMS
from tests.hostile.pictures import PICTURES, READ_PICTURES
from tests.hostile.volumes import NIFTIS, READ_NIFTIS

REFUSED = [*PICTURES, *DICOMS, *NIFTIS]
READ = [*READ_PICTURES, *READ_DICOMS, *READ_NIFTIS]
