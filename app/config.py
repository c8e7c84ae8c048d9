"""Settings: each with its default, its environment name (the field's, in capitals) and one sentence."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from limits import parse_many
from pydantic import BeforeValidator, DirectoryPath, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_LONGEST: Final = 65_536
_LONGEST_REASON: Final = 300
MODEL_NAME: Final = r"^[a-z0-9][a-z0-9._-]*$"
_PREFIX: Final = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")
_ORIGIN: Final = re.compile(r"https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:\d{1,5})?")


def _split(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    words = tuple(word.strip() for word in value.split(",") if word.strip())
    # Commas alone are a mistake: of keys they would leave the service open.
    if value and not words:
        raise ValueError("is a list without an entry")
    return words


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A list, written ``a,b`` in the environment."""

ADMIN_MARK = ":admin"
"""The end of an entry of ``API_KEYS`` whose key may change the service."""

_MOST_REQUESTS, _YEAR = 1_000_000_000, 366 * 24 * 3600

PROVIDERS = ("cpu", "cuda", "tensorrt", "openvino", "coreml", "directml")
"""Short names of the execution providers that a setting may list."""

PROFILES = ("interview_practice",)
"""The profiles of sessions that a setting may list."""


_LEAST_MEMORY_MB = 256
_LEAST_SECRET = 32


class Settings(BaseSettings):
    """What an operator may configure. Nothing else in the service reads the environment."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore", populate_by_name=True)

    host: str = Field("0.0.0.0", description="Address that the server listens on.")  # noqa: S104
    port: int = Field(8000, ge=0, le=65535, description="Port that the server listens on.")
    root_path: str = Field("", description="Path prefix under which a proxy serves the service, such as `/visage`.")

    models_dir: DirectoryPath = Field(Path("models"), description="Folder with one subfolder per model.")
    default_model: str = Field(
        "default", pattern=MODEL_NAME, max_length=64, description="Model for requests that name none."
    )
    shadow_model: str = Field(
        "",
        pattern=f"{MODEL_NAME}|^$",
        max_length=64,
        description="Second model that runs on a share of the traffic, only for metrics.",
    )
    shadow_share: float = Field(0.05, ge=0, le=1, description="Share of the predictions that the shadow model repeats.")
    execution_providers: Words = Field(
        ("auto",),
        description="ONNX Runtime providers in order of preference (`cpu`, `cuda`, `tensorrt`, `openvino`, `coreml`, "
        "`directml`), or `auto`. The batcher that serves GPUs is experimental: it was not measured on one.",
    )
    strict_providers: bool = Field(False, description="Refuse to start when the first provider cannot be used.")
    workers: int = Field(
        0, ge=0, le=256, description="Worker threads; 0 means one a core, and at most one for each 128 MB of memory."
    )
    detection_threshold: float = Field(0.5, ge=0.1, le=0.95, description="Least score of a detected face.")

    confidence_threshold: float = Field(0.6, ge=0, le=1, description="A prediction below it is uncertain.")
    details: Literal["auto", "off", "preload"] = Field(
        "auto",
        description="When to load the networks behind `details`: with the first request that needs them (`auto`), at "
        "the start (`preload`), or never (`off`).",
    )
    enable_multiple_faces: bool = Field(False, description="Make `faces=all` the default of `/predict`.")
    max_faces: int = Field(50, ge=1, le=200, description="Most faces to classify in one picture, largest first.")

    max_file_size_mb: float = Field(
        5, ge=0.01, le=100, description="Largest picture file that is accepted, in megabytes."
    )
    max_image_pixels: int = Field(
        50_000_000, ge=1024, le=200_000_000, description="Most pixels of a picture that is accepted."
    )
    max_batch_files: int = Field(32, ge=1, le=1000, description="Most files in one batch.")
    max_batch_size_mb: float = Field(64, ge=0.01, le=1000, description="Largest body of a batch, in megabytes.")
    memory_limit_mb: int = Field(
        0, ge=0, le=1_048_576, description="Memory for the process, in megabytes; 0 means the container's limit."
    )
    body_memory_mb: float = Field(
        128,
        ge=0.01,
        le=65_536,
        description="Most memory for all bodies and results together, in megabytes, and at most half of the budget; "
        "requests beyond it get 503.",
    )

    queue_size: int = Field(
        64, ge=0, le=10_000, description="Most requests that wait for a worker; requests beyond it get 503."
    )
    queue_timeout_seconds: float = Field(5, ge=0.01, le=3600, description="Longest wait for a worker.")
    request_timeout_seconds: float = Field(30, ge=0.01, le=3600, description="Longest time for a whole request.")
    header_timeout_seconds: float = Field(
        10, ge=0.01, le=3600, description="Longest time to receive a request's headers."
    )
    body_timeout_seconds: float = Field(20, ge=0.01, le=3600, description="Longest time to receive a request's body.")
    drain_seconds: float = Field(
        5,
        ge=0,
        le=3600,
        description="How long new requests get 503 after SIGTERM. 0, for a proxy that asks no probe, also opens the "
        "port only when the service is ready.",
    )

    max_streams: int = Field(32, ge=0, le=1024, description="Most streams that are open at the same time.")
    stream_share: float = Field(
        0.5, ge=0.05, le=0.95, description="Share of the workers' time that streams get while other requests wait."
    )
    stream_frames_per_second: int = Field(
        30, ge=1, le=1000, description="Frames per second of each client that are read; frames beyond it are skipped."
    )
    stream_secret: str = Field(
        "",
        description="Signs the tokens of `POST /stream/token`: at least 32 characters, the same for all replicas; "
        "empty means a random one for each process.",
    )

    rate_limit: str = Field("600/minute", description="Pictures per client, such as `10/minute`, or `off`.")
    rate_limit_storage: str = Field("memory://", description="Where to count requests: `memory://`, `redis://host`.")
    max_clients: int = Field(
        50_000,
        ge=1,
        le=10_000_000,
        description="Most clients to count in memory, of which IPv6 and reads take more; newcomers beyond share one "
        "allowance.",
    )
    api_keys: Words = Field(
        (),
        description="API keys as `name:key`, or `name:key:admin` where it may reload models, comma-separated; empty "
        "leaves the service open.",
    )
    require_api_keys: bool = Field(False, description="Refuse to start without an API key.")
    cors_origins: Words = Field((), description="Origins of web pages that may call the service, comma-separated.")
    trusted_proxies: Words = Field((), description="Addresses or networks whose `X-Forwarded-For` is trusted.")

    session_profiles: Words = Field(
        (),
        description="Profiles that sessions may ask for, comma-separated: `interview_practice` rates how confident a "
        "person looks, for that person's own practice.",
    )

    stats: bool = Field(True, description="Serve `GET /stats` with totals since the start.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")
    log_format: Literal["json", "text"] = Field("json", description="One JSON object per line, or text for people.")
    otel_enabled: bool = Field(False, description="Send OpenTelemetry traces (needs the `otel` extra).")

    @field_validator("*", mode="before")
    @classmethod
    def _printable(cls, value: Any) -> Any:
        if isinstance(value, str):
            if not value.isprintable():
                raise ValueError("holds a byte or a character that is not printable text")
            if len(value) > _LONGEST:
                raise ValueError(f"is longer than {_LONGEST:,} characters")
        return value

    @field_validator("host")
    @classmethod
    def _address(cls, value: str) -> str:
        if value != "localhost":
            try:
                ip_address(value)
            except ValueError:
                raise ValueError("takes an IP address or localhost") from None
        return value

    @field_validator("log_level", "log_format", "details", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("execution_providers")
    @classmethod
    def _known_providers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        value = tuple(name.lower() for name in value)
        if value == ("auto",):
            return value
        unknown = [name for name in value if name not in PROVIDERS]
        if unknown or not value:
            raise ValueError(f"takes auto or a list of {', '.join(PROVIDERS)}, not {', '.join(unknown) or 'nothing'}")
        return value

    @field_validator("session_profiles")
    @classmethod
    def _known_profiles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in PROFILES]
        if unknown:
            raise ValueError(f"takes a list of {', '.join(PROFILES)}, not {', '.join(unknown)[:100]}")
        return value

    @field_validator("root_path")
    @classmethod
    def _clean_prefix(cls, value: str) -> str:
        value = value.removesuffix("/")
        if not _PREFIX.fullmatch(value):
            raise ValueError("takes a path such as /visage, of letters, digits and . _ ~ -")
        return value

    @field_validator("stream_secret")
    @classmethod
    def _long_secret(cls, value: str) -> str:
        if value and len(value) < _LEAST_SECRET:
            raise ValueError(f"takes at least {_LEAST_SECRET} characters")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _whole_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        value = tuple(origin.lower() for origin in value)
        for origin in value:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(f"takes origins such as https://example.org, without a path, or *, not {origin[:100]}")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _real_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network, strict=False)
        return value

    @field_validator("api_keys")
    @classmethod
    def _named_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = []
        for entry in value:
            name, separator, key = entry.partition(":")
            if not separator or not name or len(key.removesuffix(ADMIN_MARK)) < 16:
                raise ValueError("takes entries name:key or name:key:admin with keys of at least 16 characters")
            secret = key.removesuffix(ADMIN_MARK)
            if secret != secret.strip() or secret.lower().endswith(ADMIN_MARK):
                raise ValueError(f"gives {name[:100]} a key with a space at its edge, or with :admin in capitals")
            names.append(name)
        if len(set(names)) != len(names):
            raise ValueError("gives two keys the same name")
        return value

    @field_validator("rate_limit")
    @classmethod
    def _readable_rate(cls, value: str) -> str:
        if value.lower() in {"off", "0", "false", "none"}:
            return "off"
        if not all(1 <= rate.amount <= _MOST_REQUESTS and rate.get_expiry() <= _YEAR for rate in parse_many(value)):
            raise ValueError("takes from 1 to 1,000,000,000 requests in at most a year")
        return value

    @field_validator("rate_limit_storage")
    @classmethod
    def _known_storage(cls, value: str) -> str:
        if value != "memory://" and not _is_redis(value):
            # Without the value, which may hold a password.
            raise ValueError("takes memory://, redis://host:port/0, rediss://host:port/0 or redis+unix:///path")
        return value

    @model_validator(mode="after")
    def _coherent(self) -> Settings:
        if self.queue_timeout_seconds > self.request_timeout_seconds:
            raise ValueError("QUEUE_TIMEOUT_SECONDS is longer than REQUEST_TIMEOUT_SECONDS")
        if 0 < self.memory_limit_mb < _LEAST_MEMORY_MB:
            raise ValueError(f"MEMORY_LIMIT_MB is less than {_LEAST_MEMORY_MB}, which the service needs at rest")
        if self.require_api_keys and not self.api_keys:
            raise ValueError("API_KEYS: REQUIRE_API_KEYS is set, but there is no key")
        return self

    @property
    def max_file_bytes(self) -> int:
        return int(self.max_file_size_mb * 1024 * 1024)

    @property
    def max_batch_bytes(self) -> int:
        return int(self.max_batch_size_mb * 1024 * 1024)

    @property
    def body_memory_bytes(self) -> int:
        return int(self.body_memory_mb * 1024 * 1024)

    @property
    def proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(ip_network(network, strict=False) for network in self.trusted_proxies)


def _is_redis(address: str) -> bool:
    """Whether a client can be made for this address of a Redis server. It does not connect."""
    from redis import Redis  # noqa: PLC0415 - only where it is used

    try:
        parts = urlsplit(address)
        server = parts.scheme in {"redis", "rediss"} and parts.hostname and re.fullmatch(r"(/\d{0,4})?", parts.path)
        if not server and not (parts.scheme == "redis+unix" and parts.path):
            return False
        Redis.from_url(address.removeprefix("redis+")).connection_pool.make_connection()
    except Exception:
        return False
    return True


class BadSettings(Exception):
    """A setting is invalid. The message is one sentence that names it."""


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment. Raises :class:`BadSettings` with one sentence."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"][:1]).upper()
        reason = first["msg"].removeprefix("Value error, ")[:_LONGEST_REASON]
        raise BadSettings(f"{name}: {reason}." if name else f"{reason}.") from None
