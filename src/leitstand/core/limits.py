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
MAILBOX_AHEAD = 8
"""Segments of an attempt for which a letter may be left, beginning with the one under way."""
MAILBOX_EVERY = timedelta(seconds=5)
MAILBOX_FIRST_SECONDS = 10.0
"""How long a control plane that starts waits for its first look there."""
MAILBOX_AFTER_SECONDS = 15.0
"""Without an answer for so long a worker tries the mailbox first."""
MAILBOX_WAIT = timedelta(minutes=2)
"""How long leases that ran out are kept from being given up while nobody can look."""
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
BOOT_BYTES_AT_ONCE = 16 * GIB
BOOT_BYTES_PER_SECOND = 64 * MIB
"""What machines without a certificate may fetch of the worker's files: so much at once, then so
much a second in all."""
BOOT_RETRY_SECONDS = 5

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
LAUNCH_CALL_MAX = timedelta(minutes=2)
"""When a launch call without an answer counts as lost. Until then absence from a listing proves
nothing. Longer than any adapter waits for a create."""
LAUNCH_CALL_MAX_OWN = timedelta(seconds=30)
INTENT_MAX = LAUNCH_CALL_MAX + timedelta(minutes=2)
"""How old an intent may be when its launch call begins: others' calls go first. Its term counts from
the intent, and what it rests on ages."""
LAUNCHES_AT_ONCE = 8
UNGUARDED_HOURS_MAX = 2.0
"""Longest term of a rented machine that cannot end itself when nobody is there to end it."""
BOOT_LOG_EVERY = timedelta(seconds=30)
BOOT_LOGS_PER_STEP = 4
"""A log may take seconds to come."""
RESULTS_PER_DOWNLOAD = 0.05
"""Bytes that a machine sends, findings and pictures cut from media, for each that it fetches for the
work: more than was ever seen."""
TRAFFIC_MARGIN = 1.2
"""What is reserved for traffic, by what is expected of one instance: what surrounds the bytes, and
what is fetched twice."""
BILLS_EVERY, BILLS_LATE_EVERY = timedelta(minutes=10), timedelta(hours=6)
BILLS_FRESH = timedelta(hours=49)
"""For so long after its end an instance is looked for in the bills of its provider every time, and
then now and then."""
BILL_WHOLE_AFTER = timedelta(hours=26)
"""From when on a bill that says less than was booked is believed: it may come by the day."""
BALANCE_EVERY, BALANCE_AGE_MAX = timedelta(minutes=5), timedelta(minutes=15)
BALANCE_HORIZON = timedelta(hours=2)
"""For so long the credit at a provider must last for all that is rented there."""
BILL_LAST_AFTER = timedelta(days=35)
"""The first look after so long is the last: nobody invoices later than a month."""
BILLS_PER_LOOK = 200
"""Instances that are looked for at once; the others have their turn at the next step."""
VOLUMES_EVERY, VOLUMES_IDLE = timedelta(minutes=5), timedelta(days=14)
READY_DEADLINE_MIN, READY_DEADLINE_MAX = timedelta(minutes=5), timedelta(minutes=60)
"""Between these the deadline follows what was learned of a machine or its place."""
END_ALARM = timedelta(minutes=10)
"""How long an end that was asked for may take before people are told."""
EMPTY_SUDDEN_MIN = 3
"""So many instances that vanish from a listing at once are more likely its fault than theirs."""
EMPTY_BELIEVED_AFTER = timedelta(minutes=10)
"""How long a list that suddenly shows none of them is doubted, and longer while they are heard."""
SHOWN_WITHIN = timedelta(minutes=3)
"""How long after it is ready a listing may take, beside its lag, to show it as it was offered."""
LISTING_PACE = timedelta(seconds=0.5)
"""Shortest time between two listings of one provider, however often the step is woken."""
ADMISSIONS_REFUSED_MAX = 2
"""A second machine that fails the same checks says that it is not the machine."""

# Placement
DISK_GIB_MIN_RENTED = 100.0
DISK_GIB_MIN_OWN = 4.0
DOWN_MBIT_PER_S_MIN = 100.0
"""Of offers that name their download; those of the own machine name none."""
RELIABILITY_MIN = 0.90
"""Of offers whose provider rates its machines."""
IMAGE_AGE_WARN, IMAGE_AGE_MAX = timedelta(days=60), timedelta(days=180)
"""Of what a rented machine starts from: when people are told, and when it sees no persons."""
RATE_AGE_WARN = timedelta(days=31)
"""Of the rate that makes euros of dollars: when people are told."""
OFFERS_WAIT = timedelta(seconds=20)
"""How long a provider that never answered is waited for."""
OFFERS_WAIT_WARM = timedelta(seconds=0.8)
"""How long one with a last good answer is waited for before that answer is taken."""
OFFERS_FRESH = timedelta(seconds=30)
"""A younger answer is not asked for again."""
OFFERS_AGE_MAX = timedelta(minutes=10)
"""An older answer is none."""
REPLAYED_OFFERS_MAX = 1_000
"""Decisions over more offers are kept without them, and cannot be made again."""

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
