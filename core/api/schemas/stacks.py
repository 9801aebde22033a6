"""What is opened and what has come in."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from core.api.schemas.fields import Text
from core.stacks.stack import ImageStack


class SkippedEntry(BaseModel):
    """A file that came in and is not part of the stack."""

    name: str
    code: str = Field(description="stable, for programs")
    reason: str = Field(description="a sentence for people")


def skipped_entries(stack: ImageStack) -> list[SkippedEntry]:
    """What came in with the images of ``stack`` and is left out."""
    return [SkippedEntry(name=entry.name, code=entry.code, reason=entry.reason) for entry in stack.skipped]


class FileAnswer(BaseModel):
    """A file that is kept for a page."""

    file_id: str = Field(description="the key to it")
    size: int = Field(description="bytes")


class Folders(BaseModel):
    """Folders of the server's own machine that may be opened."""

    folders: list[str] = Field(description="whole paths; everything in them may be opened too")


class FolderRequest(BaseModel):
    """What to open."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"path": "/data/photos/summer"}]})

    path: Text = Field(max_length=4096, description="whole path of a folder, archive or image in one of the folders")


class UploadAnswer(BaseModel):
    """What came in."""

    stack_id: str
    num_images: int
    filenames: list[str]
    resolutions: list[tuple[int, int]] = Field(description="[width, height] of each image, in the order of filenames")
    skipped: list[SkippedEntry]

    @classmethod
    def of(cls, stack: ImageStack) -> UploadAnswer:
        """What ``stack`` holds."""
        headers = [entry.header for entry in stack.entries]
        return cls.model_construct(
            stack_id=stack.id,
            num_images=len(stack),
            filenames=[entry.name for entry in stack.entries],
            resolutions=[(header.width, header.height) for header in headers],
            skipped=skipped_entries(stack),
        )


class StackIndex(BaseModel):
    """A stack's images, in order, each as [name, width, height, kind of pixels, bytes]."""

    stack_id: str
    name: str
    images: list[tuple[str, int, int, str, int]]
    skipped: list[SkippedEntry]

    @classmethod
    def of(cls, stack: ImageStack) -> StackIndex:
        """What is in ``stack``."""
        images = [
            (entry.name, entry.header.width, entry.header.height, entry.header.description, entry.file_size)
            for entry in stack.entries
        ]
        # Without looking at each of 20,000 names again, during which nobody else would be served.
        return cls.model_construct(stack_id=stack.id, name=stack.name, images=images, skipped=skipped_entries(stack))
