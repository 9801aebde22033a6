"""One tree of errors. Each has a stable code, an HTTP status and a sentence a person can act on."""

from __future__ import annotations

from typing import ClassVar


class AppError(Exception):
    """Base of every error the product raises on purpose; ``str(error)`` is the sentence shown to people.

    ``code`` is stable: programs may rely on it. ``status`` is the HTTP status the API answers with.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    retry_after: ClassVar[int | None] = None  # seconds after which the same request may succeed, where waiting helps


class InvalidRequest(AppError):
    """The request itself makes no sense: a missing or out-of-range value."""

    code = "invalid_request"
    status = 400


class ArchiveError(AppError):
    """What was sent, or is opened, cannot become a stack."""

    code = "archive_invalid"
    status = 422


class NotAZip(ArchiveError):
    """The bytes are nothing that a stack can be made of; the code is from when that was a ZIP alone, and stays."""

    code = "not_a_zip"
    status = 400


class ArchiveTruncated(ArchiveError):
    """The archive ends too early: an interrupted download or copy."""

    code = "archive_truncated"


class ArchiveEncrypted(ArchiveError):
    """Every image in the archive is protected by a password."""

    code = "archive_encrypted"


class ArchiveEmpty(ArchiveError):
    """The archive holds no usable image."""

    code = "archive_empty"


class LimitExceeded(ArchiveError):
    """A limit of ``core.base.settings`` was passed; the sentence names it."""

    code = "limit_exceeded"
    status = 413


class OutcomeInvalid(ArchiveError):
    """A folder of a batch job's results that cannot be read, or is too large."""

    code = "outcome_invalid"


class ImageError(AppError):
    """One image that cannot be read; the rest of its stack is unaffected."""

    code = "image_invalid"
    status = 422


class ImageTooLarge(ImageError):
    """More pixels than ``max_pixels``; refused from the header, before decoding."""

    code = "image_too_large"
    status = 413


class StackNotFound(AppError):
    """No such stack, or it has expired, or it belongs to somebody else (never told apart)."""

    code = "stack_not_found"
    status = 404


class UploadNotFound(AppError):
    """No upload of this id that could go on."""

    code = "upload_not_found"
    status = 404


class OffsetConflict(AppError):
    """An upload goes on from another place than a request says."""

    code = "offset_conflict"
    status = 409


class UploadBusy(AppError):
    """Another request sends bytes of the same upload."""

    code = "upload_busy"
    status = 423
    retry_after = 5


class FileNotKept(AppError):
    """A file that was sent for a page is not there (any more)."""

    code = "file_not_found"
    status = 404


class PathNotFound(AppError):
    """Nothing of this name in the folders of the server that may be opened."""

    code = "path_not_found"
    status = 404


class ImageNotFound(AppError):
    """The stack has no image of this name or position."""

    code = "image_not_found"
    status = 404


class TooManyStacks(AppError):
    """The server holds as many stacks, or bytes, as it may."""

    code = "too_many_stacks"
    status = 503
    retry_after = 60


class QuotaExceeded(AppError):
    """One client holds as many stacks, or bytes, as it may."""

    code = "quota_exceeded"
    status = 429
    retry_after = 60


class Busy(AppError):
    """The server has as much work waiting as it takes on."""

    code = "busy"
    status = 503
    retry_after = 5


class TooManyRequests(AppError):
    """One client has as many requests waiting as it may."""

    code = "too_many_requests"
    status = 429
    retry_after = 5


class UnsupportedType(AppError):
    """A request body of a type this route does not take."""

    code = "unsupported_type"
    status = 415


class ModelError(AppError):
    """A model that is missing, damaged or does not fit."""

    code = "model_invalid"
    status = 500


class ModelNotFound(ModelError):
    """No model of this name is installed."""

    code = "model_not_found"
    status = 404


class WeightsInvalid(ModelError):
    """A person's file of weights that is damaged, unsafe, or no ResNet18."""

    code = "weights_invalid"
    status = 422


class PreprocessingUnknown(ModelError):
    """A foreign model of which nothing says how images become its inputs."""

    code = "preprocessing_unknown"
    status = 422


class LabelsInvalid(ModelError):
    """A person's file of class labels that cannot be read or does not fit the weights."""

    code = "labels_invalid"
    status = 422


class Int8NotGoodEnough(ModelError):
    """INT8 strays too far from FP32 with every recipe, so the model was not kept."""

    code = "agreement_too_low"
    status = 422


class MapsUnavailable(ModelError):
    """A model or class of which no class activation map can be made."""

    code = "maps_unavailable"
    status = 422


class DownloadError(AppError):
    """A file that cannot be had from the web."""

    code = "download_failed"
    status = 502


class DownloadInterrupted(DownloadError):
    """No connection, or it broke too often; what has arrived is kept, and trying again goes on from there."""

    code = "download_interrupted"
    status = 503


class DownloadRejected(DownloadError):
    """What arrived is not the file that was published: another checksum, or too large. It is not kept."""

    code = "download_rejected"
    status = 502


class DiskFull(AppError):
    """No space left for a file of the product."""

    code = "disk_full"
    status = 507


class NotAllowed(AppError):
    """The operator does not allow it."""

    code = "not_allowed"
    status = 403


class TeachingNotFound(AppError):
    """Nobody has begun to teach this stack."""

    code = "teaching_not_found"
    status = 404


class EvaluationNotFound(AppError):
    """Nobody has evaluated this stack."""

    code = "evaluation_not_found"
    status = 404


class EvaluationNotDone(AppError):
    """The evaluation of this stack has no result yet, or none came of it."""

    code = "evaluation_not_done"
    status = 409


class RangeUnknown(AppError):
    """The range of values of a whole stack is not known before all of its images were looked at."""

    code = "range_unknown"
    status = 409


class EngineUnavailable(AppError):
    """An engine cannot run here: its package is missing or its model cannot be made."""

    code = "engine_unavailable"
    status = 503


class Cancelled(AppError):
    """The person cancelled the work; nothing is wrong."""

    code = "cancelled"
    status = 409


class StoreUnreachable(AppError):
    """Where files are kept, or shall be, cannot be used now: no network, no credentials, no permission."""

    code = "store_unreachable"
    status = 502


class OutputRefused(AppError):
    """A folder of results that is not this job's: of another source or model, of other options, or in use."""

    code = "output_refused"
    status = 409


class ManifestInvalid(AppError):
    """A list of files that cannot be read as one."""

    code = "manifest_invalid"
    status = 422


class WorkersLost(AppError):
    """Every process that was started for the work has died before it did any."""

    code = "workers_lost"
    status = 503
