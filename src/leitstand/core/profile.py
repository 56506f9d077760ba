"""What an analysis looks for: which pipelines a profile runs and which families they use.

Light on purpose: planning reads it without loading any model library.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from leitstand.core.problem import Exit, Problem


@dataclass(frozen=True, slots=True)
class Use:
    """A pipeline's need of a family; an optional one that is missing becomes a line under "not known".

    One that is not `reported` looks at the pictures of the report alone, so that all persons in
    them are blurred; what it finds is no finding.
    """

    family: str
    capability: str
    required: bool
    reported: bool = True


_DETECTOR = Use("detector", "object-detection", True)
_POSE = Use("pose", "pose", False)
_FACE = Use("face", "face-detection", False)
_SCENE = Use("scene", "scene-labels", False)
_SILHOUETTE = Use("silhouette", "person-segmentation", False)
_VOICE = Use("voice", "voice-activity", True)
_SPEECH = Use("speech", "transcription", True)

_PERSONS_TO_BLUR = Use("detector", "object-detection", False, reported=False)
_FACES_TO_BLUR = Use("face", "face-detection", False, reported=False)

_AUDIO = (_VOICE, _SPEECH)

PROFILES: dict[str, dict[str, tuple[Use, ...]]] = {
    "people": {
        "image": (_DETECTOR, _POSE, _FACE),
        "video": (_DETECTOR, _POSE, _FACE),
    },
    "people+speech": {
        "image": (_DETECTOR, _POSE, _FACE),
        "video": (_DETECTOR, _POSE, _FACE),
        "audio": _AUDIO,
    },
    "faces": {
        "image": (Use("face", "face-detection", True), _PERSONS_TO_BLUR),
        "video": (_DETECTOR, Use("face", "face-detection", True)),
    },
    "scene": {
        "image": (_DETECTOR, _SCENE, _SILHOUETTE, _FACES_TO_BLUR),
        "video": (_DETECTOR, _SCENE, _FACES_TO_BLUR),
    },
    "audio": {"audio": _AUDIO},
    "auto": {
        "image": (_DETECTOR, _POSE, _FACE, _SCENE, _SILHOUETTE),
        "video": (_DETECTOR, _POSE, _FACE, _SCENE),
        "audio": _AUDIO,
    },
}

DEFAULT = "auto"

BLURRED_BY = frozenset({"detector", "face"})
"""The families that find persons for blurring; without both there is no picture in the report."""


def uses(profile: str, pipeline: str) -> tuple[Use, ...]:
    """What one pipeline uses under a profile; empty when it does not run. Raises Problem."""
    return check(profile).get(pipeline, ())


def families(profile: str, pipeline: str) -> frozenset[str]:
    """The families whose models a task of one pipeline loads; `fuse` loads none."""
    return frozenset(use.family for use in uses(profile, pipeline))


def check(profile: str) -> dict[str, tuple[Use, ...]]:
    """The pipelines of a profile. Raises Problem `unknown-profile` with the nearest name."""
    found = PROFILES.get(profile)
    if found is None:
        near = difflib.get_close_matches(profile, PROFILES, n=1)
        raise Problem(
            "unknown-profile",
            Exit.USAGE,
            profile=profile,
            profiles=", ".join(PROFILES),
            near=near[0] if near else None,
        )
    return found


def pipeline_of(stream: str) -> str:
    """The pipeline that reads a stream: `video:0` → `video`."""
    return stream.split(":", 1)[0]
