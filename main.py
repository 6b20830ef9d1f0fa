"""The composition root: settings → adapters → services → app. Nothing else reads the environment.

Each command imports what it uses, when it is called: ``fetch`` must not wait for the web framework.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from settings import Settings, SettingsError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from sqlalchemy import Engine as Database

    from domain.download_job import DownloadJob
    from domain.ports import JobQueue, Storage
    from domain.services import ServiceBuilder
    from domain.upkeep import Upkeep
    from downloader.engine import Engine
    from jobs.distributed_worker import DistributedWorker
    from jobs.local import LocalJobs
    from jobs.refill import Refill
    from web.auth import JWTAuth
    from web.links import Links

logger = logging.getLogger("main")

THREADS = 16  # operations at once; each has a database connection of its own
COLLECT_AFTER = 10_000  # objects that are new: an operation makes that many and keeps none, so looking is for nothing
WORKER_CONNECTIONS = 8
REQUEST_SECONDS = 2  # SIGTERM: requests under way may end, then
DRAIN_SECONDS = 6.0  # pieces in flight; the whole stop takes at most 10 s
BACKLOG = 2048  # connections that wait while the rest of the service starts, or for their turn
DEVELOPER = UUID("00000000-0000-4000-8000-000000000001")


@dataclass(frozen=True)
class Service:
    """Everything of one process, built and not yet started."""

    settings: Settings
    database: Database
    worker_database: Database
    poller_database: Database
    storage: Storage
    jobs: JobQueue
    services: ServiceBuilder
    auth: JWTAuth


def build(settings: Settings, jobs: JobQueue) -> Service:
    """Adapters and use cases for ``settings``."""
    from domain.admission import Admission
    from domain.models import utc_now
    from domain.policy import Policy
    from domain.ports import AdmissionLimits
    from domain.services import ServiceBuilder
    from persistence.sealing import AesGcmSealer
    from persistence.unit_of_work import uow_factory
    from storage.keys import names_for
    from telemetry.metrics import REGISTRY, QueueCollector

    database, worker_database = open_database(settings, THREADS), open_database(settings, WORKER_CONNECTIONS)
    REGISTRY.register(QueueCollector(uow_factory(worker_database)))
    limits = AdmissionLimits(settings.max_concurrent_tasks, settings.max_concurrent_tasks_per_user)
    storage = make_storage(settings, worker_database)
    return Service(
        settings=settings,
        database=database,
        worker_database=worker_database,
        poller_database=open_database(settings, 1),
        storage=storage,
        jobs=jobs,
        services=ServiceBuilder(
            open_uow=uow_factory(database),
            admission=Admission(limits, jobs, utc_now, storage.has_room),
            sealer=AesGcmSealer(settings.jwt_secret_key, settings.jwt_secret_key_previous),
            names_for=names_for,
            policy=Policy(settings.egress_allow, settings.max_tasks_per_user, settings.max_bytes_per_user),
            clock=utc_now,
        ),
        auth=make_auth(settings),
    )


def open_database(settings: Settings, connections: int) -> Database:
    """Raises SettingsError."""
    from domain.errors import DatabaseError
    from persistence.engine import open_engine

    try:
        return open_engine(settings.database_url, pool_size=connections)
    except DatabaseError as error:
        raise SettingsError(f"DATABASE_URL cannot be used: {error.message}") from None


def make_storage(settings: Settings, database: Database) -> Storage:
    """Where files lie. Raises SettingsError when it is an object store that takes none."""
    if not settings.storage_url.startswith("s3://"):
        from persistence.storage_mark import storage_mark
        from storage.local import LocalStorage
        from storage.shared_folder import SharedFolder

        folder = Path(settings.storage_url)
        if on_one_machine(settings.database_url):
            return LocalStorage(folder, settings.min_free_bytes)
        return SharedFolder(folder, settings.min_free_bytes, storage_mark(database))
    from domain.errors import StorageError
    from storage.object_store import ObjectStorage

    try:
        storage = ObjectStorage(
            settings.storage_url,
            settings.object_store,
            settings.scratch_dir,
            settings.min_free_bytes,
            public_endpoint=settings.storage_public_url,
        )
        storage.require()
    except StorageError as error:
        raise SettingsError(f"STORAGE_URL cannot be used: {error.message}") from None
    return storage


def make_auth(settings: Settings) -> JWTAuth:
    """Who may call."""
    from web.auth import JWTAuth

    return JWTAuth(
        settings.jwt_secret_key,
        previous_secret=settings.jwt_secret_key_previous,
        algorithm=settings.jwt_algorithm,
        issuer=settings.users_service_issuer,
        audience=settings.jwt_audience,
    )


def make_links(settings: Settings) -> Links:
    """Who may play."""
    from web.links import Links

    return Links(
        settings.jwt_secret_key,
        public_url=settings.public_url,
        seconds=settings.playback_url_seconds,
        previous_secret=settings.jwt_secret_key_previous,
    )


def make_downloader(settings: Settings, storage: Storage, *, measures: bool = True) -> Engine:
    """Network to storage; starts when its context is entered."""
    from downloader.client import Client
    from downloader.engine import Engine
    from downloader.guard import Guard
    from downloader.limits import Limits

    def make_client() -> Client:
        return Client(
            Guard(settings.egress_allow),
            max_connections=settings.max_connections,
            max_connections_per_host=settings.max_connections_per_host,
            timeout=settings.request_timeout_seconds,
        )

    limits = Limits(
        concurrency=settings.segment_concurrency,
        max_segments=settings.max_segments,
        max_live_segments=settings.max_live_segments,
        live_outage_seconds=settings.live_outage_seconds,
        max_file_bytes=settings.max_file_bytes,
        max_playlist_bytes=settings.max_playlist_bytes,
        min_free_bytes=settings.min_free_bytes,
        scratch_bytes=settings.scratch_max_bytes,
    )
    return Engine(storage, make_client, limits, measures=measures)


@contextmanager
def worker(service: Service, runner: LocalJobs | DistributedWorker) -> Iterator[None]:
    """Runs jobs for the length of the context."""
    from domain.upkeep import INTERVAL
    from domain.values import ResourceType
    from downloader.engine import fetcher
    from downloader.tally import TALLY
    from jobs.refill import Refill
    from telemetry.jobs import logged_job
    from telemetry.metrics import REGISTRY, OriginCollector

    REGISTRY.register(OriginCollector(TALLY))
    refill = Refill(lambda: admit(service))
    require_storage(service.storage)
    for kind in ResourceType:
        fetcher(kind)  # now, and not while the first task waits
    with ExitStack() as stack:
        stack.enter_context(only_worker(service.settings.database_url))
        stack.callback(service.worker_database.dispose)
        refill.start()
        stack.callback(refill.stop, 0.5)
        stack.callback(runner.stop, 1.0)  # runs that the closing downloader has broken off still write that they wait
        downloader = stack.enter_context(make_downloader(service.settings, service.storage))
        job, upkeep = make_job(service, downloader, refill), make_upkeep(service)
        runner.start(logged_job(job.run), upkeep.tick, INTERVAL.total_seconds())
        stack.callback(runner.stop, DRAIN_SECONDS)
        yield


def admit(service: Service) -> None:
    """Free slots to the next tasks, in a transaction of its own."""
    from persistence.unit_of_work import uow_factory

    with uow_factory(service.worker_database)() as uow, uow:
        service.services.admission.admit(uow)
        uow.commit()


def make_job(service: Service, downloader: Engine, refill: Refill) -> DownloadJob:
    """What runs a task."""
    from dataclasses import replace

    from domain.download_job import AutoRetry, DownloadJob
    from domain.reports import Reports
    from persistence.unit_of_work import uow_factory
    from telemetry.jobs import LoggedDownloader

    use_cases, open_uow = service.services, uow_factory(service.worker_database)
    return DownloadJob(
        open_uow=open_uow,
        downloader=LoggedDownloader(downloader),
        storage=service.storage,
        admission=replace(use_cases.admission, refill_later=refill),
        sealer=use_cases.sealer,
        names_for=use_cases.names_for,
        auto_retry=AutoRetry(service.settings.auto_retry, use_cases.clock),
        clock=use_cases.clock,
        reports=Reports(open_uow),
    )


def make_upkeep(service: Service) -> Upkeep:
    """What a worker does every few seconds."""
    from domain.upkeep import Upkeep
    from persistence.unit_of_work import uow_factory

    settings = service.settings
    return Upkeep(
        open_uow=uow_factory(service.worker_database),
        admission=service.services.admission,
        jobs=service.jobs,
        storage=service.storage,
        clock=service.services.clock,
        auto_retry=settings.auto_retry,
        retention=timedelta(days=settings.retention_days) if settings.retention_days else None,
    )


def require_storage(storage: Storage) -> None:
    """Whoever fetches must keep it where the others look for it. Raises SettingsError."""
    from domain.errors import StorageError
    from storage.shared_folder import SharedFolder

    try:
        if isinstance(storage, SharedFolder):
            storage.require()
    except StorageError as error:
        raise SettingsError(f"STORAGE_URL cannot be used: {error.message}") from None


def make_jobs(settings: Settings) -> tuple[JobQueue, LocalJobs | DistributedWorker]:
    """Where jobs wait, and who runs them here."""
    from jobs.local import LocalJobs

    if on_one_machine(settings.database_url):
        jobs = LocalJobs()
        return jobs, jobs

    from jobs.distributed_worker import Capacity, DistributedWorker
    from persistence.engine import libpq_parameters

    capacity = Capacity(settings.max_concurrent_tasks, settings.worker_silence_seconds)
    return shared_jobs(), DistributedWorker(libpq_parameters(settings.database_url), capacity)


def shared_jobs() -> JobQueue:
    """Where the jobs of many machines wait."""
    from jobs.distributed import DistributedJobs
    from persistence.unit_of_work import connection_of

    return DistributedJobs(connection_of)


def on_one_machine(database_url: str) -> bool:
    """Whether API and worker must share a machine."""
    return database_url.startswith("sqlite:///")


@contextmanager
def only_worker(database_url: str) -> Iterator[None]:
    """Two workers over one SQLite file would take each other's jobs for lost. Raises SettingsError."""
    if not on_one_machine(database_url):
        yield
        return
    path = Path(database_url.removeprefix("sqlite:///") + ".worker")
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(f"DATABASE_URL is in use: another process works on {path.stem} already") from None
        yield


def make_app(service: Service) -> FastAPI:
    """The HTTP face of the service."""
    from graph.changes import Changes
    from graph.router import make_router
    from persistence.unit_of_work import uow_factory
    from web.app import create_app
    from web.metrics import metrics_router
    from web.pages import Pages
    from web.playback import playback_router
    from web.playback_urls import PlaybackUrls
    from web.rest import make_rest_router

    settings = service.settings
    links = make_links(settings)
    changes = Changes(uow_factory(service.poller_database))
    pages = Pages(settings.public_url, service.storage.url("any", 60))
    graphiql = pages.graphiql if settings.graphiql else None
    app = create_app(
        auth=service.auth,
        open_services=service.services,
        playback_urls=PlaybackUrls(links, service.services.names_for),
        routers=[
            make_router(graphiql=graphiql, changes=changes, origins=settings.cors_origins),
            make_rest_router(envelope_only=settings.rest_envelope_only),
            playback_router(service.storage, links),
            pages.router(),
            metrics_router(settings.metrics_token),
        ],
        database_answers=lambda: answers(service.database),
        storage_answers=service.storage.answers,
        cors_origins=settings.cors_origins,
        threads=THREADS,
    )
    app.state.changes = changes
    return app


# --- commands -----------------------------------------------------------------------------------------------


def serve(arguments: argparse.Namespace) -> int:
    """API and worker in one process."""
    with running("serve") as settings, listening(settings) as listener:
        jobs, runner = make_jobs(settings)
        service = build(settings, jobs)
        migrate_database(service.database)
        with worker(service, runner):
            return serve_api(service, listener, greet=arguments.link)


def api(arguments: argparse.Namespace) -> int:
    """HTTP without a worker."""
    from jobs.local import NoWorker

    with running("api") as settings, listening(settings) as listener:
        service = build(settings, NoWorker() if on_one_machine(settings.database_url) else shared_jobs())
        migrate_database(service.database)
        return serve_api(service, listener, greet=arguments.link)


def work(_: argparse.Namespace) -> int:
    """A worker without HTTP but /health and /metrics; any number of them, over PostgreSQL."""
    from web.metrics import metrics_router
    from web.worker_app import create_worker_app

    with running("worker") as settings:
        if on_one_machine(settings.database_url):
            raise SettingsError(
                "DATABASE_URL must be postgresql+psycopg2://… for a worker of its own; over SQLite, serve is one"
            )
        with listening(settings) as listener:
            jobs, runner = make_jobs(settings)
            service = build(settings, jobs)
            migrate_database(service.database)
            service.database.dispose()
            with worker(service, runner):
                return serve_http(create_worker_app([metrics_router(settings.metrics_token)]), listener)


def migrate(_: argparse.Namespace) -> int:
    """Bring the database to the present schema."""
    migrate_database(open_database(Settings.load(["database"]), 1))
    return 0


def token(arguments: argparse.Namespace) -> int:
    """Print a development token."""
    print(make_token(Settings.load(["tokens"]), arguments.user, arguments.minutes))
    return 0


def schema(_: argparse.Namespace) -> int:
    """Print the GraphQL schema."""
    from graph.schema import print_schema

    sys.stdout.write(print_schema())
    return 0


def fetch(arguments: argparse.Namespace) -> int:
    """One download from the shell."""
    gc.disable()  # while 300 modules are loaded, of which nothing is garbage
    from datetime import UTC, datetime
    from uuid import NAMESPACE_URL, uuid5

    from domain.ports import Source
    from domain.values import ResourceType
    from downloader.engine import fetcher
    from downloader.shell import download, guess_type
    from storage.keys import Names
    from storage.local import LocalStorage

    settings = Settings.load(["downloads"])
    names = Names(uuid5(NAMESPACE_URL, arguments.url), datetime.fromtimestamp(0, UTC))  # so that it can go on
    kind = ResourceType(arguments.type) if arguments.type else guess_type(arguments.url)
    fetcher(kind)
    storage = LocalStorage(Path(arguments.out))
    with make_downloader(settings, storage, measures=False) as downloader:
        gc.freeze()
        gc.enable()
        code = download(downloader, Source(arguments.url, kind, names, run_number=0))
    storage.clear_scratch(names.folder)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # everything is closed, and taking 400 modules apart takes 20 ms


# --- steps --------------------------------------------------------------------------------------------------


@contextmanager
def running(role: str) -> Iterator[Settings]:
    """Every setting; what happens until the end of the context is logged, from the start to the stop."""
    from typing import get_type_hints

    from domain.services import Services
    from telemetry.lifetime import lifetime, secrets
    from telemetry.logging import configure
    from telemetry.use_cases import log_use_cases

    settings = Settings.load()
    secret = secrets(settings)
    configure(settings.log_format, settings.log_level, folder=settings.log_dir, role=role, secrets=secret)
    log_use_cases(*get_type_hints(Services).values())
    with lifetime(role, settings), tracing(role, settings):
        for name in settings.weak_secrets:
            logger.warning("%s is shorter than 32 bytes; use a longer one in production", name)
        yield settings


def tracing(role: str, settings: Settings) -> AbstractContextManager[None]:
    """Spans for a collector, when one of the standard variables names it."""
    if not settings.traces_are_collected:
        return nullcontext()
    from telemetry.span_export import exporting

    return exporting(role, settings.open_telemetry, os.environ)


def migrate_database(database: Database) -> None:
    """Raises SettingsError when it cannot be used at all, else DatabaseError."""
    from domain.errors import DatabaseError
    from persistence.errors import unusable
    from persistence.migrate import migrate

    try:
        migrate(database)
    except DatabaseError as error:
        cause = unusable(error)
        if cause is None:
            raise
        raise SettingsError(f"DATABASE_URL cannot be used: {cause}") from None


def answers(database: Database) -> bool:
    """Whether the database takes a query."""
    from domain.errors import DatabaseError
    from persistence.unit_of_work import uow_factory

    try:
        with uow_factory(database)() as uow, uow.reading():
            uow.purges.all()
    except DatabaseError:
        logger.warning("The database does not answer", exc_info=True)
        return False
    return True


def listening(settings: Settings) -> socket.socket:
    """Where requests come in; had before any work is taken up. Raises SettingsError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        name = "PORT" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "HOST"
        raise SettingsError(f"{name} cannot be used: {error.strerror}") from None
    # Connections inherit it. asyncio sets it only where it has made the socket, and answers then come 40 ms late.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve_api(service: Service, listener: socket.socket, *, greet: bool) -> int:
    """As ``serve_http``, for those who use the service."""
    app = make_app(service)
    if greet:
        greeting(service.settings)
    code = serve_http(app, listener, on_stop=app.state.changes.stop)
    service.database.dispose()
    service.poller_database.dispose()
    return code


def serve_http(app: FastAPI, listener: socket.socket, on_stop: Callable[[], None] = lambda: None) -> int:
    """Serve until SIGTERM or SIGINT; 0 after a clean stop, 1 when it could not start."""
    import uvicorn

    from web.middleware import MAX_BODY_BYTES
    from web.server import Server

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # its lines hold queries, and queries hold secrets
        server_header=False,
        timeout_graceful_shutdown=REQUEST_SECONDS,
        ws_max_size=MAX_BODY_BYTES,
    )
    server = Server(config, on_stop)
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again when it has stopped
        signal.signal(number, lambda *_: None)
    gc.collect()
    gc.freeze()  # the schema, the mappers and the modules stay: to look through them again took a quarter of the CPU
    gc.set_threshold(COLLECT_AFTER)
    server.run(sockets=[listener])
    return 0 if server.started else 1


def greeting(settings: Settings) -> None:
    """Links that sign a developer in; the token is in the fragment, which no server and no log sees."""
    token = make_token(settings, DEVELOPER, None)
    print(f"See the downloads: {settings.public_url}/#token={token}", flush=True)
    if settings.graphiql:
        print(f"Explore the API: {settings.public_url}/graphql#token={token}", flush=True)


def make_token(settings: Settings, user_id: UUID, minutes: int | None) -> str:
    """A token as the user service would issue."""
    return make_auth(settings).make_development_token(user_id, minutes or settings.jwt_access_token_expire_minutes)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="main.py", description="A media download service. Without a command: serve.")
    commands = root.add_subparsers(title="commands")

    def command(name: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        sub.set_defaults(run=run)
        return sub

    root.set_defaults(run=serve, link=False)
    for name, run in (("serve", serve), ("api", api)):
        command(name, run).add_argument("--link", action="store_true", help="print a link with a development token")
    command("worker", work)
    command("migrate", migrate)
    command("schema", schema)
    make = command("token", token)
    make.add_argument("--user", type=UUID, required=True, metavar="UUID")
    make.add_argument("--minutes", type=int, help="how long it lasts")
    get = command("fetch", fetch)
    get.add_argument("url")
    get.add_argument("--type", choices=("hls", "mp4", "image"), help="guessed from the URL when it is not given")
    get.add_argument("--out", default=".", metavar="DIR")
    return root


def main() -> int:
    """Run one command; a service error ends it with one line."""
    from domain.errors import ServiceError

    arguments = parser().parse_args()
    try:
        return arguments.run(arguments)  # type: ignore[no-any-return]  # argparse.Namespace has no types
    except (SettingsError, ServiceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
