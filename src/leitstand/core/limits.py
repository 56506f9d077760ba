"""Defaults of settings, and limits that several modules rest on or that operators ask about. Others
stand at the head of the module that needs them."""

from __future__ import annotations

from datetime import timedelta

MIB = 1024 * 1024
GIB = 1024 * MIB

# Media
SEGMENT_SECONDS = 30.0
SEGMENT_BYTES_MAX = 64 * MIB
AUDIO_MARGIN_SECONDS = 15.0
"""Audio around a segment, so that a recogniser hears whole sentences."""
WHOLE_PROOF_SECONDS = 60.0
"""Media up to this length are proved by all frames, longer ones by sampled joins."""
PROOF_JOINS = 3
PIXELS_MAX = 120_000_000
"""Pixels of one picture or frame: 360 MB as RGB, within the decoder's address space."""
MEDIA_SECONDS_MAX = 24 * 3600.0
METADATA_BYTES_MAX = 256 * 1024
"""Technical and EXIF facts of one medium; what is over is cut and named."""
DECODER_ADDRESS_BYTES = 2 * GIB
FRAME_SIDE_MAX = 1280
"""Long side of frames handed to pipelines; boxes are scaled back to the original."""
RING_SLOTS = 4
PICTURE_SIDE_MAX = 960
PICTURES_PER_SEGMENT_MAX = 4
FILES_MAX = 10_000

# Retention (`docs/security.md`, defaults)
ABANDONED_AFTER = timedelta(hours=24)
"""What never became part of a job, counted from the last part of it that arrived."""
MEDIA_AFTER_SUCCESS = timedelta(hours=24)
MEDIA_AFTER_FAILURE = timedelta(days=7)
MEDIA_OF_HELD_INBOX = timedelta(hours=24)
REPORTS_KEPT = timedelta(days=180)
SWEEP_EVERY = timedelta(hours=1)
"""How often blobs are looked for that nothing names; each has to be older than `ABANDONED_AFTER`."""

# Transfer
PART_BYTES = 8 * MIB
OBJECT_BYTES_MAX = 8 * GIB
RESULT_BYTES_MAX = 64 * MIB
DOCUMENT_BYTES_MAX = 32 * MIB
"""JSON body of an operator's call: 100,000 segments of one medium."""

# Worker protocol
CERTIFICATE_LIFE = timedelta(minutes=30)
LEASE = timedelta(seconds=60)
BEAT_INTERVAL = timedelta(seconds=5)
CLAIM_WAIT_SECONDS_MAX = 25.0
FORECAST_SECONDS = 60.0
"""Time for one segment until speeds are learned; the progress deadline is three times this."""
PROGRESS_FACTOR = 3.0
PROGRESS_SECONDS_MIN = 60.0
CLOCK_SKEW_MAX = timedelta(seconds=60)
BACKWARD_JUMP_MAX = timedelta(seconds=5)
BACKWARD_JUMP_HOLD = timedelta(minutes=15)
"""How long a jump of our own clock stops launches, leases and key releases at most."""
ATTEMPTS_MAX = 5
RETRY_AFTER = timedelta(seconds=2)
"""Before a task whose attempt failed is offered again."""
SEGMENTS_PER_TASK = 4
SLOTS_MAX = 64
BEAT_BYTES_MAX = MIB
"""Body of a worker's call, results excepted."""

# Instances
READY_DEADLINE = timedelta(minutes=20)
DRAIN_GRACE = timedelta(minutes=2)
LAUNCHES_PER_JOB_MAX = 8
"""Instances that came to be and ended by themselves before they committed anything, since the job
last got on; refused launches are counted apart."""
REFUSALS_PER_JOB_MAX = 100
"""With the pauses below: about eight hours of a provider that refuses or does not answer."""
PAUSE_MAX = timedelta(minutes=5)
"""Longest pause between two tries of a launch or an effect."""
ENDING = timedelta(minutes=1)
"""What an instance may still cost between its `end_by` and the proof that it is gone."""
FORECAST_MARGIN = 1.5
"""How much longer than forecast work may take before money that covers it counts as too little."""
LAUNCH_CALL_MAX = timedelta(seconds=30)
"""How long a launch call is waited for. Until then absence from a listing proves nothing."""
LISTING_PACE = timedelta(seconds=0.5)
"""Shortest time between two listings of one provider, however often the step is woken."""
ADMISSIONS_REFUSED_MAX = 2
"""A second machine that fails the same checks says that it is not the machine."""

# Steps
UNITS_PER_STEP_MAX = 200
EFFECT_PAUSE_DOUBLINGS_MAX = 9
"""An idempotent effect is tried until it is done: 1 s, 2 s, 4 s … at most five minutes apart."""
SEQUENCE_BATCH_MAX = 5_000
ENTRY_UNSEQUENCED_MAX = timedelta(seconds=5)
EVENTS_KEPT = timedelta(days=30)
EMBEDDED_IDLE = timedelta(seconds=60)
EMBEDDED_LOOK_SECONDS = 1.0
PAGE_DEFAULT = 50
PAGE_MAX = 200
