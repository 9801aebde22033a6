"""Recognise folders of any size on one machine or many, and go on where a run was ended.

    python -m scripts.batch SOURCE --out DIR --model NAME --engine openvino-int8

SOURCE is a folder, a pattern in quotes ("photos/**/*.png"), a list of files (CSV or Parquet with a column "path"), a
ZIP or TAR, one image, or an address such as s3://bucket/folder. The same command again does what is left. Exit code 0:
every image was recognised; 1: some could not be read (their rows say why); 2: the work could not be done, or not all
of it; 130: it was interrupted.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from core.base.cpu import usable_cores
from core.base.errors import InvalidRequest
from core.base.settings import MIB, Settings, get_settings
from core.base.version import VERSION
from core.batch.cluster import RayCrew, cluster
from core.batch.estimate import estimate
from core.batch.listing import list_source
from core.batch.manifest import units_of
from core.batch.output import Output, shard_of
from core.batch.parts import census
from core.batch.run import Progress, run
from core.batch.stores import locate, store_errors
from core.batch.worker import Job, Worker
from core.engines.registry import default_engine, engine_names
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.recognition.classifier import DEFAULT_BATCH
from scripts._arguments import batch_size_argument
from scripts._running import run_command

MOST_CORES = 4  # of one worker: with more, its threads wait for Python's lock
BASE_BYTES = 512 * MIB  # of a worker, beside the images it decodes
LEAST_MEMORY = BASE_BYTES + 64 * MIB
_UNITS = {"": 1, "kib": 1024, "mib": MIB, "gib": 1024 * MIB, "kb": 1000, "mb": 10**6, "gb": 10**9}


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    options = _parser().parse_args(arguments)
    work = _dry_run if options.dry_run else _run
    said = "Interrupted. What is written stays; the same command goes on there."
    return run_command(lambda: work(options), interrupted=said)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="SOURCE", help="folder, pattern, list, archive, image or address")
    parser.add_argument("--out", metavar="DIR", help="folder or address for the results; new, or of the same job")
    parser.add_argument("--engine", choices=engine_names(), default=default_engine().name, help="default: %(default)s")
    parser.add_argument("--model", help="name of an installed model (default: the app's)")
    parser.add_argument(
        "--address", help="of a Ray cluster: auto, ray://HOST:10001, HOST:6379 (default: this machine alone)"
    )
    parser.add_argument("--shards", type=int, default=1, metavar="N", help="parts that the files are dealt out to")
    parser.add_argument("--shard", type=int, default=0, metavar="I", help="which of them is done here, from 0")
    parser.add_argument("--workers", type=_count, metavar="N", help="default: as many as there are cores for")
    parser.add_argument("--cores", type=_count, metavar="N", help=f"of each worker (default: all, up to {MOST_CORES})")
    parser.add_argument("--batch-size", type=batch_size_argument, default=DEFAULT_BATCH, metavar="N")
    parser.add_argument("--features", action="store_true", help="keep the network's features, 4 kB a row")
    parser.add_argument("--hash", action="store_true", help="keep the SHA-256 of every file")
    parser.add_argument("--limit-memory", type=_bytes, metavar="SIZE", help="of each worker, such as 2GiB")
    parser.add_argument("--dry-run", action="store_true", help="list the files, time a sample, write nothing")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 2GiB")
    size = int(float(found[1]) * _UNITS[found[2]])
    if size < LEAST_MEMORY:
        raise argparse.ArgumentTypeError(f"a worker needs at least {LEAST_MEMORY // MIB} MiB")
    return size


def _job(options: argparse.Namespace, model: Model, output: Output | None) -> Job:
    settings = get_settings()
    if options.limit_memory:
        allowed = min(settings.image_memory_bytes, options.limit_memory - BASE_BYTES)
        settings = Settings.model_validate(settings.model_dump() | {"image_memory_bytes": allowed})
    store, _ = locate(options.source)
    cores = options.cores or min(MOST_CORES, max(1, int(usable_cores())))
    return Job(
        store=store,
        output=output,
        model=model.folder.absolute(),
        engine=options.engine,
        settings=settings,
        cores=cores,
        batch_size=options.batch_size or DEFAULT_BATCH,
        features=options.features,
        hashes=options.hash,
    )


def _dry_run(options: argparse.Namespace) -> int:
    shard_of(options.shard, options.shards)
    model = ModelRegistry(get_settings()).get(options.model)
    listing = list_source(options.source)
    worker = Worker(replace(_job(options, model, None), store=listing.store))
    worker.start()
    try:
        found = estimate(units_of(listing, shard=options.shard, shards=options.shards), worker)
    finally:
        worker.close()
    print(f"{found.files:,} files and {found.archives:,} archives, {found.bytes / MIB:,.1f} MiB")
    _print_left_out(listing.left_out, listing.unreadable)
    if found.seconds is not None:
        print(
            f"Of {found.sample} sampled images {found.errors} cannot be read. One worker of {worker.job.cores} cores "
            f"does {found.rate:,.0f} images/s here: {_duration(found.seconds)} for all, shared by all workers."
        )
    return 0


def _run(options: argparse.Namespace) -> int:
    shard_of(options.shard, options.shards)
    if not options.out:
        raise InvalidRequest("--out is missing: the folder that the results go to.")
    model = ModelRegistry(get_settings()).get(options.model)
    if missing := model.missing(options.engine):
        raise InvalidRequest(missing)
    output = Output(options.out, shard=options.shard, shards=options.shards)
    listing = list_source(options.source)
    output.prepare(_facts(options, model))
    with output.alone():
        output.sweep()
        with store_errors(output.address):
            totals = output.manifest.totals()
            if totals is None:
                print("Listing ...", file=sys.stderr)
                units = units_of(listing, shard=options.shard, shards=options.shards)
                totals = output.manifest.write(listing, units)
        _print_left_out(totals.left_out, totals.unreadable)
        done = output.done()
        left = [number for number in range(totals.units) if number not in done]
        print(
            f"{totals.files:,} files and {totals.archives:,} archives in {totals.units:,} parts, {len(left):,} to do",
            file=sys.stderr,
        )
        if left:
            job = replace(_job(options, model, output), store=listing.store)
            _work(options, job, left, totals.bytes * len(left) // totals.units)
        found = census(output)
    print(f"{found.rows:,} rows in {found.parts:,} parts, {found.errors:,} errors: {options.out}", file=sys.stderr)
    return 1 if found.errors or totals.unreadable else 0


def _facts(options: argparse.Namespace, model: Model) -> dict[str, object]:
    """What all runs of a job have in common."""
    source = options.source if "://" in options.source else str(Path(options.source).absolute())
    return {
        "version": VERSION,
        "source": source,
        "model": model.card.name,
        "model_checksum": model.answers_key,
        "engine": options.engine,
        "features": options.features,
        "hash": options.hash,
        "shards": options.shards,
    }


def _work(options: argparse.Namespace, job: Job, left: Sequence[int], size: int) -> None:
    assert job.output is not None  # noqa: S101 - given by ``_run``
    output = job.output
    often = 0.5 if sys.stderr.isatty() else 30.0  # seconds; a log is no screen
    with (
        cluster(options.address),
        tqdm(total=size, unit="B", unit_scale=True, file=sys.stderr, mininterval=often) as bar,
    ):

        def show(progress: Progress) -> None:
            bar.set_postfix_str(
                f"{progress.rows:,} images, {progress.rate:,.0f} images/s, {progress.errors.total():,} errors, "
                f"{progress.workers} workers",
                refresh=False,
            )
            bar.update(progress.bytes - bar.n)

        crew = RayCrew(job, workers=options.workers, memory=options.limit_memory)
        try:
            progress = run(
                crew,
                output.manifest.units(left),
                agree=lambda facts: output.agree("engine", facts),
                on_progress=show,
            )
        finally:
            crew.close()
    print(
        f"{progress.rows:,} images in {progress.seconds:.2f} s, {progress.rate:,.0f} images/s with {progress.workers} "
        f"workers of {job.cores} cores; {progress.deaths} died meanwhile",
        file=sys.stderr,
    )
    for code, count in progress.errors.most_common():
        print(f"{count:,} rows with {code}", file=sys.stderr)


def _print_left_out(left_out: dict[str, int], unreadable: Iterable[str]) -> None:
    for reason, count in left_out.items():
        print(f"left out: {count:,} {reason}", file=sys.stderr)
    for folder in unreadable:
        print(f"{folder} may not be read by this program; change its permissions.", file=sys.stderr)


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"


if __name__ == "__main__":
    sys.exit(main())
