"""API keys: where they are looked for, where they are kept, and a type that never prints one.

Order: the environment, the OS keyring (if the `keyring` extra is installed), `keys.toml` in the config folder (0600).
A vendor's key goes only to that vendor: the standard variable of a vendor counts only for a provider without an
`api_base` of its own, or with the vendor's own host as its `api_base`. Any other provider uses its own `api_key_env`,
or what is stored under its own name, or no key.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol, Self, cast

from msgspec import Struct
from pydantic import SecretStr

from coda_cli import paths
from coda_cli.engine.core.errors import ConfigError, UsageError
from coda_cli.settings.files import locked, read_toml
from coda_cli.settings.schema import ProviderSettings, is_provider_name, needs_no_key

SERVICE: Final = "coda-cli"
VENDOR_VARIABLES: Final[Mapping[str, str]] = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "ollama": "OLLAMA_API_KEY",
}
_VENDOR_HOSTS: Final[Mapping[str, str]] = {
    "openai": "api.openai.com",
    "anthropic": "api.anthropic.com",
    "ollama": "ollama.com",
}
_USABLE: Final = re.compile(r"[\x21-\x7e]{1,8192}")
_log: Final = logging.getLogger(__name__)


class Key(Struct, frozen=True):
    """An API key and where it was found ("environment OPENAI_API_KEY", "keyring", "keys.toml").

    Neither `repr`, `str`, formatting, JSON nor pickling shows it: only `key.value.get_secret_value()` does.
    """

    value: SecretStr
    source: str

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key is not pickled")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


class _Keyring(Protocol):
    """The three functions of the `keyring` package that are used here."""

    def get_password(self, service_name: str, username: str) -> str | None: ...
    def set_password(self, service_name: str, username: str, password: str) -> None: ...
    def delete_password(self, service_name: str, username: str) -> None: ...


def keys_file() -> Path:
    """Where keys are kept when there is no keyring."""
    return paths.config_dir() / "keys.toml"


def variable_of(settings: ProviderSettings) -> str | None:
    """The environment variable that may hold this provider's key, or None."""
    if settings.api_key_env is not None:
        return settings.api_key_env
    if settings.api_base is None or _is_vendors(settings.type, settings.api_base):
        return VENDOR_VARIABLES.get(settings.type)
    return None


def _is_vendors(vendor: str, url: str) -> bool:
    """Whether *url* is the vendor's own host, written out. Compared as text: no user part, no look-alike passes."""
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0].lower().removesuffix(":443")
    return scheme.lower() == "https" and host == _VENDOR_HOSTS.get(vendor)


def find_key(provider_name: str, settings: ProviderSettings, *, environ: Mapping[str, str] = os.environ) -> Key | None:
    """The key of a provider, or None. Raises ConfigError for a key that no server can accept or a broken keys.toml."""
    if needs_no_key(settings):
        return None
    variable = variable_of(settings)
    if variable is not None and (value := environ.get(variable, "").strip()):
        return _key(value, f"environment {variable}")
    if stored := _from_keyring(provider_name):
        return _key(stored, "keyring")
    if stored := _read_keys().get(provider_name):
        return _key(stored, keys_file().name)
    return None


def store_key(provider_name: str, value: str) -> str:
    """Keep *value* for a provider; returns where ("keyring" or a path). Raises UsageError and ConfigError."""
    value = value.strip()
    if not value:
        raise UsageError("the key is empty", hint="paste the key, then Enter")
    if not _USABLE.fullmatch(value):
        hint = "copy it again: a key is one word of plain ASCII characters"
        raise UsageError("this is not an API key: it holds spaces or unusual characters", hint=hint)
    _check_name(provider_name)
    if _into_keyring(provider_name, value):
        # An older copy in the file would only be one more place to leak from.
        _change_file(provider_name, None)
        return "keyring"
    _change_file(provider_name, value)
    return str(keys_file())


def remove_key(provider_name: str) -> list[str]:
    """Forget a provider's stored key; returns where it was ("keyring", "keys.toml"). Raises ConfigError."""
    _check_name(provider_name)
    removed = ["keyring"] if _out_of_keyring(provider_name) else []
    if _change_file(provider_name, None):
        removed.append(keys_file().name)
    return removed


def keyring_installed() -> bool:
    """Whether the optional `keyring` package is there (it may still find no keyring to talk to)."""
    return importlib.util.find_spec("keyring") is not None


def _check_name(name: str) -> None:
    if not is_provider_name(name):
        raise UsageError(f'"{name}" is not a name for a provider', hint="use letters, digits, `-` and `_`")


def _key(value: str, source: str) -> Key:
    value = value.strip()
    if not _USABLE.fullmatch(value):
        hint = "set it again, without spaces, quotes or line breaks"
        raise ConfigError(f"the API key from {source} holds characters that no server accepts", hint=hint)
    return Key(SecretStr(value), source)


@contextmanager
def _keyring() -> Iterator[_Keyring | None]:
    """The keyring package or None. Inside, whatever its backends raise only means: no keyring here.

    A backend talks to D-Bus, the Keychain or a file, and lets their errors through beside its own.
    """
    if not _may_have_a_backend():
        yield None
        return
    try:
        module: Any = importlib.import_module("keyring")
        failures: Any = importlib.import_module("keyring.errors")
    except ImportError:
        yield None
        return
    try:
        yield cast("_Keyring", module)
    except (failures.KeyringError, OSError, RuntimeError, ImportError) as exc:
        _log.debug("no keyring: %s", type(exc).__name__)


def _may_have_a_backend() -> bool:
    """Whether importing the keyring package can be worth it.

    On Linux its backends want a session bus, or are named in the environment or in its settings file. Without any of
    these the import only costs time, and a backend may run a compiler to look for libraries of other systems.
    """
    if "keyring" in sys.modules:
        return True
    if named := os.environ.get("PYTHON_KEYRING_BACKEND"):
        return named not in ("keyring.backends.fail.Keyring", "keyring.backends.null.Keyring")
    if sys.platform != "linux" or os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return True
    config = Path(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"))  # noqa: PTH111 - never raises
    return Path(f"/run/user/{os.getuid()}/bus").exists() or (config / "python_keyring" / "keyringrc.cfg").exists()


def _from_keyring(name: str) -> str | None:
    with _keyring() as keyring:
        if keyring is not None:
            return (keyring.get_password(SERVICE, name) or "").strip() or None
    return None


def _into_keyring(name: str, value: str) -> bool:
    with _keyring() as keyring:
        if keyring is not None:
            keyring.set_password(SERVICE, name, value)
            # The null backend takes everything and keeps nothing.
            return keyring.get_password(SERVICE, name) == value
    return False


def _out_of_keyring(name: str) -> bool:
    with _keyring() as keyring:
        if keyring is not None and keyring.get_password(SERVICE, name) is not None:
            keyring.delete_password(SERVICE, name)
            return True
    return False


def _read_keys() -> dict[str, str]:
    path = keys_file()
    _mend_mode(path)
    table = read_toml(path) or {}
    for name, value in table.items():
        if not isinstance(value, str):
            hint = "mend the file, or store the key again with `coda config set-key`"
            raise ConfigError(f"{path}: {name}: expected a key in quotes", hint=hint, file=str(path), key=name)
    return table


def _mend_mode(path: Path) -> None:
    """Close a keys.toml that others may read, and say so once: the mode is then right for good."""
    try:
        mode = path.stat().st_mode & 0o777
        if not mode & 0o077:
            return
        path.chmod(0o600)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as exc:
        hint = f"make it yours alone: `chmod 600 '{path}'`"
        raise ConfigError(f"others may read {path}: {exc.strerror or exc}", hint=hint, file=str(path)) from exc
    _log.warning(
        "%s was open to others (mode %o); it is 600 now. If others use this machine, renew its keys", path, mode
    )


def _change_file(name: str, value: str | None) -> bool:
    """Set or drop one key in keys.toml under its lock; whether anything changed."""
    path = keys_file()
    if value is None and not path.exists():
        return False
    import tomli_w

    with locked(path):
        keys = _read_keys()
        if keys.get(name) == value:
            return False
        if value is None:
            del keys[name]
        else:
            keys[name] = value
        try:
            paths.replace_private(path, tomli_w.dumps(keys).encode("utf-8"))
        except OSError as exc:
            hint = f"check the folder and the free space: `ls -ld '{path.parent}'`"
            raise ConfigError(f"cannot write {path}: {exc.strerror or exc}", hint=hint, file=str(path)) from exc
    return True
