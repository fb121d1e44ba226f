"""Everything that can go wrong on the way to an answer.

    CodaError                            a message for a person, and a hint with the next step
    ├── ConfigError                      coda.toml, a flag or an environment variable is wrong   (exit code 2)
    ├── UsageError                       the command line is wrong                              (exit code 2)
    └── LLMError                         a provider failed                                      (exit code 1)
        ├── LLMAuthenticationError       no key, a bad key, no permission                       (exit code 4)
        ├── LLMRateLimitError            429: too many requests, or the quota is used up
        ├── LLMTimeoutError              connect, idle or total deadline passed
        ├── LLMConnectionError           no host, refused, TLS, cut before an answer
        │   └── LLMIncompleteResponseError   the answer stopped without the vendor's end marker
        ├── LLMOverloadedError           500, 502, 503, 504, 529: theirs to mend
        ├── LLMContextLengthError        the request does not fit the model's window
        ├── LLMInvalidRequestError       400, 413, 422: ours to mend
        ├── LLMModelNotFoundError        no such model
        ├── LLMUnsupportedError          this model or provider cannot do what was asked
        ├── LLMBadResponseError          what came back is not the vendor's format (a captive portal, broken JSON)
        ├── LLMBudgetError               a limit of the person's own stands in the way          (exit code 3)
        └── LLMProviderUnavailableError  an extra, a file, a library or memory is missing on this machine

`retryable()` is the one place that says whether another attempt may help.
"""

from __future__ import annotations

from typing import Any, Final


class CodaError(Exception):
    """An error meant for a person: `str(error)` says what failed and why, `hint` what to do next."""

    exit_code: int = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(CodaError):
    """A setting is wrong. `file` and `key` name the place where they are known."""

    exit_code = 2

    def __init__(
        self, message: str, *, hint: str | None = None, file: str | None = None, key: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.key = key


class UsageError(CodaError):
    """The command line asks for something that does not make sense."""

    exit_code = 2


class LLMError(CodaError):
    """A provider failed.

    Attributes: `provider` (configured name), `model`, `status` (HTTP status or None), `request_id` (the vendor's),
    `retry_after` (seconds, or None), `partial` (text received before the failure, "" if none), `final` (another attempt
    cannot help, whatever the kind of error).
    """

    default_hint: str | None = None

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        partial: str = "",
        final: bool = False,
    ) -> None:
        super().__init__(message, hint=hint if hint is not None else self.default_hint)
        self.provider = provider
        self.model = model
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.partial = partial
        self.final = final

    def describe(self) -> dict[str, Any]:
        """The error as plain JSON-able data, for events, logs and `--json`."""
        return {
            "type": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "provider": self.provider,
            "model": self.model,
            "status": self.status,
            "request_id": self.request_id,
            "retry_after": self.retry_after,
        }


class LLMAuthenticationError(LLMError):
    """The vendor does not accept the key, or there is none."""

    exit_code = 4


class LLMRateLimitError(LLMError):
    """Too many requests, or the account's quota is used up. `retry_after` is the vendor's wish in seconds, if any."""

    default_hint = "wait and try again, or choose another model with -m"


class LLMTimeoutError(LLMError):
    """The connect, idle or total deadline passed."""

    default_hint = "try again, or raise `timeout` for this provider in coda.toml"


class LLMConnectionError(LLMError):
    """The host could not be reached, or the connection broke before an answer began."""

    default_hint = "check that the server runs, that the network is up, and the provider's `api_base`"


class LLMIncompleteResponseError(LLMConnectionError):
    """The answer stopped without the vendor's end marker; `partial` holds what came."""

    default_hint = "the part that came is kept; ask again for the whole answer"


class LLMOverloadedError(LLMError):
    """The vendor is overloaded or broken (5xx, 529, an overload event in the stream)."""

    default_hint = "the provider has a problem; try again in a while, or choose another model with -m"


class LLMContextLengthError(LLMError):
    """The request does not fit into the model's context window."""

    default_hint = "shorten the input, or choose a model with a larger window with -m"


class LLMInvalidRequestError(LLMError):
    """The vendor refuses the request as malformed."""

    default_hint = "the message says what it does not take; check the options given with -o and in coda.toml"


class LLMModelNotFoundError(LLMError):
    """The provider has no model of this name."""

    default_hint = "list what it has with `coda providers models`"


class LLMUnsupportedError(LLMError):
    """The model or provider cannot do what was asked (images, audio, a schema, ...)."""


class LLMBadResponseError(LLMError):
    """What came back is not in the vendor's format: a captive portal's HTML, broken JSON, an oversized event."""

    default_hint = "check that `api_base` points at the API and that no login page or proxy stands in between"


class LLMBudgetError(LLMError):
    """A budget that the person has set is reached: nothing was sent, or the answer was stopped there.

    `reached` says which, as a `BudgetReached` event does; None where another thing about budgets is wrong.
    """

    exit_code = 3
    default_hint = "`coda usage` shows what was used; raise it under [budget] in coda.toml, in a chat with /budget +1"
    reached: dict[str, Any] | None = None


class LLMProviderUnavailableError(LLMError):
    """Something this provider needs on this machine is missing: an extra, a file, a library, memory."""


_RETRYABLE: Final = (LLMRateLimitError, LLMTimeoutError, LLMConnectionError, LLMOverloadedError, LLMBadResponseError)


def retryable(error: BaseException) -> bool:
    """Whether the same request may succeed if sent again (only ever asked before the first visible output)."""
    return isinstance(error, _RETRYABLE) and not error.final
