"""What is never remembered: passwords however they are told, numbers however they are written; and what only speaks
of them is kept."""

from __future__ import annotations

import time

import pytest

from coda_cli.engine.memory.secrets import secret_in

PASSWORDS = (
    "my password's hunter2",
    "my password\u2019s hunter2",
    "my pw is x1y2",
    "pw: x1y2",
    "password hunter2",
    'the wifi password "hunter2"',
    "my passwords are hunter2 and swordfish",
    "my passwords are swordfish and marlin",
    "my password is correct horse battery staple",
    "my password is now hunter2",
    "my password is still swordfish",
    "my password on GitHub is swordfish",
    "my password (for the bank) is swordfish",
    "I changed my password to hunter2",
    "the router has the password P@ssword",
    "password 12345678",
    "hunter2 is my password",
    "the WLAN key is swordfish",
    "my pin 1234",
    "my pin's 1234",
    "my pin number is 12 34",
    "the PIN of my card is 0042",
    "1234 is my pin",
    "the door code is 4711",
    "the garage door code: 4711#",
    "the code for the front door is 4711A",
    "the combination for my locker is 12-34-56",
    "the alarm code is now 9921",
    "my cvv is 123",
    "the security code on my card is 123",
    "mein Passwort ist Sommer",
    "mein WLAN-Passwort lautet: hunter2",
    "meine Passwörter sind hunter2 und Sommer",
    "das Kennwort vom Laptop ist jetzt Sommer26",
    "meine PIN 1234",
    "die PIN meiner Karte ist 1234",
    "der Türcode ist 4711",
    "der Code für die Haustür lautet 4711",
    "code de carte bleue est 1234",
    "le code de ma carte bleue est 1234",
    "le code de la porte est 4711A",
    "le code d\u2019entrée est 4711",
    "mon code PIN c'est 1234",
    "mon mot de passe est soleil",
    "mot de passe : soleil",
    "mon mdp est hunter2",
    "mes mots de passe sont soleil et lune",
    "mi contraseña es girasol",
    "mi contrasen\u0303a es girasol",
    "mis contraseñas son girasol y luna",
    "mi clave es girasol",
    "la clave del wifi es gatito77",
    "mi pin es 1234",
    "el código de la puerta es 4711",
    "el código de mi tarjeta es 1234",
)
NUMBERS = (
    "123-45-6789",
    "that is 123\u201145\u20116789",
    "my social security number is 123 45 6789",
    "my card is 4111.1111.1111.1111",
    "my card is 4111\u00a01111\u00a01111\u00a01111",
    "my card is 4111\u202f1111\u202f1111\u202f1111",
    "my card is 4111\u20131111\u20131111\u20131111",
    "my card is 4111\u200b1111\u200b1111\u200b1111",
    "my card is 4111\n1111\n1111\n1111",
    "my card is 3782.822463.10005",
    "my card is \uff14\uff11\uff11\uff11 1111 1111 1111",
    "my IBAN is DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",
    "my IBAN is DE89-3704-0044-0532-0130-00",
)
HIDDEN = (
    "my pass\u200bword is hunter2",
    "my p\u2060a\u00adssword is hunter2",
    "my\u200bpassword\u200bis\u200bhunter2",
    "my \uff50assword is hunter2",
    "gh\u200bp_0123456789abcdefABCDEF0123456789abcd",
    "my pa\u034fssword is hunter2",
)
KEYS = (
    "deploy 9fceb02d0ae598e95dc970b74767f19372d61af8 it says",
    "the API key of the build is 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "my token for git is 9fceb02d0ae598e95dc970b74767f19372d61af8",
)
HARMLESS = (
    "I always forget my password",
    "we use a password manager",
    "we use a password manager and 2FA",
    "the password policy is strict",
    "the password policy is: at least 12 characters",
    "I changed my password yesterday",
    "my passwords are all in Bitwarden",
    "my password is too long to type",
    "my password's length is a problem",
    "my password is now stored in 1Password",
    "the password is hashed with sha256",
    "passwords are hashed with argon2id in our service",
    "password hashing uses PBKDF2",
    "the password must have 12 characters",
    "the password 30-day rotation is over",
    "please reset the password for bob@example.com",
    "send my password bob@example.com",
    "the API key is read from the environment",
    "API keys are per user",
    "I know what the password is.",
    "create an API key from https://example.com/keys",
    'the client is made with api_key=os.environ["API_KEY"]',
    "the tests use password=<yours>",
    "I was asked what my password is for",
    "in the shell, pwd is /home/anna",
    "the LED is on pin 13",
    "the reset pin is 4",
    "the pin is high",
    "I pin my dependencies",
    "the exit code is 137",
    "the error code is 4711",
    "the country code is 0049",
    "the postal code of Bern is 3011",
    "the access code is 300 lines long",
    "the door code is broken",
    "the key is to practise every day",
    "my order number is 123-456-7890",
    "call me at 555-12-34567",
    "the number 000-12-3456 is none",
    "pi is 3.1415926535897932",
    "the server is 192.168.100.200",
    "the bug came in with commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "git bisect says 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "the sha256 of the file is " + "9fceb02d0ae598e9" * 4,
    "ich vergesse immer mein Passwort",
    "wir benutzen einen Passwort-Manager",
    "mein Passwort ist zu lang",
    "mein Passwort ist im Tresor",
    "der Fehlercode ist 4711",
    "j'oublie toujours mon mot de passe",
    "mon mot de passe est trop long",
    "nous utilisons un gestionnaire de mots de passe",
    "le code postal est 75011",
    "siempre olvido mi contraseña",
    "mi contraseña es muy larga",
    "usamos un gestor de contraseñas",
    "la clave es practicar cada día",
    "el código postal es 28013",
)


@pytest.mark.parametrize("text", [*PASSWORDS, *NUMBERS, *HIDDEN, *KEYS])
def test_a_secret_is_seen_however_it_is_told(text: str) -> None:
    assert secret_in(text)
    assert secret_in(f"Oh, and {text}.")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_speaks_of_one_is_none(text: str) -> None:
    assert secret_in(text) is None
    assert secret_in(f"Oh, and {text}") is None


@pytest.mark.parametrize(
    "part", ["password for ", "a.", "x", "1 ", "pass\u200b", "is the ", "my code for the ", "passw", "AB12 ", "a://b:c"]
)
def test_a_long_text_takes_no_time(part: str) -> None:
    start = time.perf_counter()
    secret_in(part * (20_000 // len(part)))
    assert time.perf_counter() - start < 2
