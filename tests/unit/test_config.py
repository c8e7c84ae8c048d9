"""Settings come from the environment, and one that makes no sense stops the start with a sentence."""

from __future__ import annotations

import pytest

from app.config import BadSettings, Settings, load_settings
from tests.absurd_settings import absurd_values


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_defaults_are_the_documented_ones() -> None:
    settings = load_settings()
    assert settings.port == 8000
    assert settings.confidence_threshold == 0.6
    assert settings.max_file_bytes == 5 * 1024 * 1024
    assert settings.enable_multiple_faces is False
    assert settings.execution_providers == ("auto",)
    assert settings.rate_limit == "600/minute"


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXECUTION_PROVIDERS", "CUDA, cpu")
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example,https://b.example")
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8")
    settings = load_settings()
    assert settings.execution_providers == ("cuda", "cpu")
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert str(settings.proxy_networks[0]) == "10.0.0.0/8"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert load_settings().port == 8000


def test_off_is_written_in_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT", "OFF")
    assert load_settings().rate_limit == "off"


@pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields])
def test_values_without_sense_are_refused_in_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in absurd_values(name):
        monkeypatch.setenv(name, value)
        with pytest.raises(BadSettings) as refused:
            load_settings()
        sentence = str(refused.value)
        assert sentence.startswith(f"{name}: "), value
        assert sentence.endswith("."), value
        assert sentence.isprintable(), value
        assert len(sentence) < 400, value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "::1"),
        ("HOST", "localhost"),
        ("ROOT_PATH", "/visage/v1.0/"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "http://localhost:3000,HTTPS://Page.example,http://[::1]:8080"),
        ("RATE_LIMIT_STORAGE", "rediss://user:p%40ss@redis.example:6380/2?socket_timeout=1"),
        ("RATE_LIMIT_STORAGE", "redis+unix:///run/redis.sock?db=1"),
        ("TRUSTED_PROXIES", "10.0.0.1,fd00::/8"),
        ("SHADOW_MODEL", ""),
    ],
)
def test_what_makes_sense_is_accepted(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    load_settings()


def test_a_bad_api_key_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEYS", "web:tooshort")
    with pytest.raises(BadSettings) as refused:
        load_settings()
    assert "tooshort" not in str(refused.value)


def test_settings_that_contradict_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_TIMEOUT_SECONDS", "60")
    with pytest.raises(BadSettings, match="QUEUE_TIMEOUT_SECONDS"):
        load_settings()


def test_a_limit_of_memory_below_what_the_service_needs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMORY_LIMIT_MB", "255")
    with pytest.raises(BadSettings, match="MEMORY_LIMIT_MB is less than 256"):
        load_settings()
    for good in ("0", "256"):
        monkeypatch.setenv("MEMORY_LIMIT_MB", good)
        assert load_settings().memory_limit_mb == int(good)


def test_every_setting_says_what_it_does() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


@pytest.mark.parametrize("key", [" 0123456789abcdef", "0123456789abcdef:ADMIN", "0123456789abcdef :admin"])
def test_a_key_that_nobody_could_send_stops_the_start(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("API_KEYS", f"desk:fedcba9876543210,web:{key}")
    with pytest.raises(BadSettings, match="API_KEYS: gives web a key") as refused:
        load_settings()
    assert "0123456789" not in str(refused.value)


def test_without_a_required_key_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRE_API_KEYS", "true")
    monkeypatch.setenv("API_KEYS", "")
    with pytest.raises(BadSettings) as refused:
        load_settings()
    assert str(refused.value) == "API_KEYS: REQUIRE_API_KEYS is set, but there is no key."
    monkeypatch.setenv("API_KEYS", "web:0123456789abcdef")
    assert load_settings().require_api_keys
