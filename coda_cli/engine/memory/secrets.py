"""What is never remembered: keys, tokens, passwords, card and account numbers. Told by kind, never repeated.

A password has no look of its own: it is known by the word before it ("my password is"). Where that word stands alone
("password hunter2"), what follows must look like one; where a word follows that passwords are talked about with ("is
stored in", "is too long"), there is none. English, German, French, Spanish.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

_PATTERNS: Final = (
    ("a private key", r"BEGIN [A-Z ]*PRIVATE KEY|PuTTY-User-Key-File|AGE-SECRET-KEY-1"),
    (
        "an API key or token",
        (
            r"\b(?:sk|pk|rk)[-_](?:[A-Za-z]+[-_])*[A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}"
            r"|\bxox[abeoprs]-[\w-]{10,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{30,}|\bhf_[A-Za-z0-9]{20,}"
            r"|\bglpat-[\w-]{16,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[\w-]{20,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.?[\w-]*"
            r"|\bya29\.[\w-]{20,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bdop_v1_\w{20,}|(?i:\bbearer\s+[\w.~+/-]{16,})"
        ),
    ),
    ("an address with a password in it", r"\b[a-z][a-z0-9+.-]{0,40}://[^\s/:@]*:[^\s/@]{2,}@"),
    (
        "a social security number",
        (
            r"(?i:\b(?:ssn|social security)\b)\D{0,20}\d{3}[- .]?\d{2}[- .]?\d{4}"
            r"|(?<![\w.-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])"
        ),
    ),
)
_COMPILED: Final = tuple((what, re.compile(pattern)) for what, pattern in _PATTERNS)
_DIGITS: Final = re.compile(
    r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])|(?<![\w.])(?:\d{4}(?:\.\d{4}){3}|\d{4}\.\d{6}\.\d{5})(?![\w])"
)
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?:[ .-]?[A-Z0-9]{2,4}){3,8}\b")
_LONG: Final = re.compile(r"(?<![\w/.-])[A-Za-z0-9+=_-]{24,}(?![\w/]|\.\w)")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HASH: Final = re.compile(
    r"(?i)\b(?:commit\w*|git|sha-?\d*|hash\w*|revision|rev|head|branch|merged?|bisect\w*|tag|build|release|version"
    r"|checksum|digest|md5|etag|prüfsumme|empreinte|regression|bug|fixed|introduced|deployed|pinned)\b"
)
_CREDENTIAL: Final = re.compile(r"(?i)key|token|secret|passw|credential|auth|login|schlüssel|clave|clé|contraseña")

# ---- passwords and codes ----------------------------------------------------------------------------------------

_WORDS: Final = (
    r"pass(?:words?|phrases?|codes?)|passwd|pwd?|pws|recovery (?:code|key|phrase)s?|backup codes?|2fa code|secret key"
    r"|access key|api[ _-]?keys?|auth(?:entication)? token|access token|client secret|seed phrase|(?:wi-?fi|wlan) key"
    r"|\w*(?:passw|kennw)(?:ort(?:e|s|es)?|örter)|wlan-?schlüssel|zugangsschlüssel"
    r"|mots? de passe|mdp|phrase secrète|clé (?:wi-?fi|api|secrète)"
    r"|contrase[nñ]as?|(?:mi|nuestra) clave|clave (?:wi-?fi|secreta|de acceso|api)|frase secreta"
)
"""What a password is called: any word after "is" is one."""
_PINS: Final = (
    r"pin(?:[- ]?(?:code|number|nummer))?s?|puk|otp|one-time code|geheimzahl|geheimnummer"
    r"|code (?:pin|secret|confidentiel)|c[oó]digo (?:pin|secreto)|n[uú]mero secreto"
)
"""Digits, four at least: an LED has a pin 13."""
_PLACE: Final = (
    r"(?:door|gate|alarm|safe|house|home|flat|apartment|building|garage|lock|locker|office|phone|card|lobby|elevator"
    r"|shed|entry|entrance|access|keypad|unlock|security|suitcase|bike)"
)
_ORT: Final = (
    r"(?:(?:haus|wohnungs|garagen|keller)?tür|tor|alarm(?:anlage)?|safe|tresors?|garage|schloss|karte|wohnung|büro|handy"
    r"|zugang|eingang)"
)
_LIEU: Final = (
    r"(?:carte(?: (?:bleue|bancaire|de crédit|vitale))?|cb|porte|entrée|accès|alarme|portail|garage|coffre(?:-fort)?"
    r"|immeuble|cadenas|téléphone|sim|sécurité)"
)
_LUGAR: Final = (
    r"(?:puerta|tarjeta|alarma|acceso|seguridad|garaje|portal|edificio|caja fuerte|candado|entrada|tel[eé]fono|móvil)"
)
_CODES: Final = (
    rf"{_PLACE}(?:'s)? (?:\w+ )?(?:code|combination)|(?:code|combination) (?:for|to|of|on) (?:\w+ ){{0,3}}{_PLACE}"
    r"|(?:security|verification|doorlock) ?code|doorcode|cvv2?|cvc2?"
    rf"|{_ORT}(?:s|n|en)?[- ]?code|code (?:für|von|zur?|zum|der|des|vom) (?:\w+ ){{0,2}}{_ORT}"
    r"|(?:zugangs|sicherheits|entsperr|karten)code|zahlenkombination|prüfziffer"
    rf"|code (?:de (?:la |ma |l')?|d'|du |des ){_LIEU}|digicode|cryptogramme"
    rf"|c[oó]digo (?:del? )(?:la |mi |el )?{_LUGAR}|clave"
)
"""What opens something else: it has digits."""
_LABEL: Final = re.compile(rf"(?i)\b(?:(?P<word>{_WORDS})|(?P<pin>{_PINS})|(?P<code>{_CODES}))(?![\w-])")
_LINK: Final = re.compile(
    r"(?i)(?:\s*\([^)]{1,40}\)|\s+(?:for|of|to|on|at|with|from|für|von|vom|zum|zur?|meiner|meines|unserer|der|des|bei|am|im"
    r"|pour|sur|de|du|des|d'|del|para|en)\s+[^:=]{1,40}?)?"
    r"(?:\s*(?:=>?|:(?!//)|->|→)|\s+(?:is|are|was|were|equals|ist|sind|war|lautet|heißt|heisst|est|c'est|sont|était|es|son|era)\b)"
    r"\s*[=:]?\s*(?=[^\s.,;!?)])"
)
_FILLER: Final = re.compile(
    r"(?i)(?:(?:still|now|currently|actually|just|simply|always|literally|really|basically|set to|changed to"
    r"|going to be|the (?:word|phrase|string|number)|jetzt|immer|noch|nun|einfach|maintenant|toujours"
    r"|ahora|siempre)\b[:,]?\s*)+"
)
_TALK: Final = re.compile(
    r"(?i)(?:it|this|that|they|we|you|stored|saved|kept|in|on|at|under|behind|inside|too|very|so|not|never|a|an|the|to|of|one|no|none|nothing"
    r"|required|optional|managed|rotated|secured?|safe|strict|strong|weak|long|short|longer|shorter|simple|complex|hard"
    r"|difficult|easy|important|annoying|bad|good|fine|ok|okay|wrong|incorrect|invalid|valid|empty|missing|lost|gone"
    r"|broken|old|new|unknown|something|somewhere|what|where|why|how|when|which|who|set|reset|shared|synced|written|sent"
    r"|asked|only|just|now|still|already|always|here|there|with|without|from|by|for|all|both|different|unique|random"
    r"|randomly|generated|encrypted|hashed|salted|changed|expired|checked|validated|verified|entered|typed|case"
    r"|read|loaded|passed|needed|found|used|given|called|named|known|handled|hidden|masked|protected|supported"
    r"|disabled|enabled|per|like|as|about|often|due|part|likely|probably|usually|currently|actually|really|max(?:imum)?|min(?:imum)?|between|leaked"
    r"|compromised|allowed|forbidden|created|copied|injected|provided|available|accepted|rejected|refused|ignored"
    r"|(?:correct|right|forgotten)(?!\s+[\w-])"
    r"|zu|nicht|nie|im|auf|bei|am|der|die|das|ein|eine|sehr|sicher|lang|kurz|schwer|einfach|falsch|weg|gespeichert"
    r"|vergessen|abgelaufen|notwendig|nötig|wichtig|verschlüsselt|geändert|bekannt|unbekannt|leer|überall|jetzt|noch"
    r"|immer|alle|hinterlegt|abgelegt"
    r"|trop|très|pas|dans|sur|enregistrée?s?|stockée?s?|perdue?s?|le|la|les|un|une|difficiles?|faciles?|oubliée?s?"
    r"|expirée?s?|obligatoires?|longs?|longues?|courte?s?|sûre?s?|forte?s?|faibles?|gérée?s?|chez|toujours|maintenant"
    r"|demasiado|muy|el|los|las|una|guardadas?|difícil(?:es)?|fácil(?:es)?|seguras?|largas?|cortas?|obligatorias?"
    r"|olvidadas?|necesarias?|incorrectas?|siempre|ahora|no)(?![\w'-])"
)
"""What passwords are talked about with: behind "is" no password, unless something that looks like one follows."""
_PLACEHOLDER: Final = re.compile(
    r"[\"'(]*(?:os\.|process\.|getenv|env\b|secrets\.|settings\.|config\."
    r"|\$\{|\$[A-Z_]{3,}|<|\[|\{|None\b|null\b|not[- ])"
)
"""What stands for one in code and in examples."""
_BARE: Final = re.compile(r"(?i)(?:'s)?\s+(?:to\s+|with\s+|auf\s+|zu\s+|en\s+|a\s+)?(?=\S)|\s*[(\"“`]\s*(?=\S)")
_TOKEN: Final = re.compile(r"[\"'“”‘’`(«]*([^\s\"“”`()«»,;]{3,80})")
_NUMBER: Final = re.compile(
    r"(?i)[\"'“`(]*[#*]?[a-z]{0,2}(\d(?:[ .*#-]?\d){2,9})[a-z#*]?(?![\w-])"
    r"(?!\s*(?:%|lines?|loc|digits?|characters?|chars?|bits?|bytes|ms|seconds?|minutes?|hours?|days?|months?|years?|files?|times|zeilen|zeichen|stellen|stellig|ziffern|tage"
    r"|lignes|chiffres|caractères|jours|ans|líneas|dígitos|caracteres|días|años)\b)"
)
_ENDS: Final = re.compile(r"(?i)\s*(?:$|[.,;:!?)\"'”`]|(?:and|or|but|und|oder|et|ou|y|o)\b)")
_TECHNICAL: Final = re.compile(
    r"(?i)(?:(?:[12]fa|sha-?\d|md[45]|base-?\d\d|utf-?\d|ipv?[46]|oauth-?2|argon2|pbkdf2|b?crypt|aes-?\d|rsa-?\d|ed25519"
    r"|x509|x\.509|tls-?1|https?/|s3|k8s|1password|keepass|windows-?\d|win\d|python-?\d|php\d|v\d|web3|pkcs|ntlm|rfc"
    r"|p256|mp[34]|office365|o365|e2e|fido2|u2f|gpt-?\d|log4|step\d|part\d|field\d|test\d|page\d|line\d)[\w.+/-]*"
    r"|\d+-?(?:st|nd|rd|th|char\w*|digit\w*|letters?|days?|weeks?|months?|years?|hours?|min\w*|sec\w*|bits?|bytes?|x|k|ms"
    r"|s|d|h|stellig\w*|zeichen))"
)
_REVERSED: Final = re.compile(
    r"(?i)(?<!\S)(?P<value>\S{4,80})\s+(?:is|was|ist|est|es)\s+(?:my|our|the|meine?|unsere?|das|die|mon|notre|le|mi|la)"
    rf"\s+(?:[\w-]+ )?(?:(?P<word>{_WORDS})|(?P<pin>{_PINS})|(?P<code>{_CODES}))"
    r"(?=\s*(?:$|[.,;:!?)]|(?:for|to|of|on|at|and|but|für|von|und|pour|de|du|et|del|para|y)\b))"
)
_NEAR: Final = 160
"""Characters behind a label that are looked at."""


def secret_in(text: str) -> str | None:
    """What kind of secret stands in *text* ("a card number"), None for none."""
    return next((what for form in _forms(text) if (what := _secret_in(form))), None)


def _forms(text: str) -> Iterator[str]:
    """*text* as it stands, and as a person reads it: on one line, without signs that nobody sees, in plain ones."""
    yield text
    plain = unicodedata.normalize("NFKC", text).translate(_PLAIN)
    for instead in ("", " "):
        form = " ".join("".join(instead if _unseen(char) else char for char in plain).split())
        if form != text:
            yield form


_PLAIN: Final = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣－", "-") | dict.fromkeys("’‘‚‛ʼ′`´", "'"))


def _unseen(char: str) -> bool:
    """Whether *char* has no shape: zero-width signs, joiners, selectors, fillers."""
    return char in "\u115f\u1160\u3164\u2800" or (
        unicodedata.category(char) in ("Cf", "Mn", "Cc") and char not in "\n\t"
    )


def _secret_in(text: str) -> str | None:
    for what, pattern in _COMPILED:
        if pattern.search(text):
            return what
    if _code_told(text):
        return "a password or a code"
    if any(luhn(found[0]) for found in _DIGITS.finditer(text)):
        return "a card number"
    if any(iban(found[0]) for found in _IBAN.finditer(text.upper())):
        return "an account number (IBAN)"
    if any(_random(found[0]) and not _revision(found[0], text) for found in _LONG.finditer(text)):
        return "what looks like a key or a token"
    return None


def _code_told(text: str) -> bool:
    """Whether a password, a PIN or the code of a door is told, not only spoken of."""
    for label in _LABEL.finditer(text):
        if _value_behind(label, text[label.end() : label.end() + _NEAR]):
            return True
    return any(_opens(found, found["value"]) for found in _REVERSED.finditer(text))


def _value_behind(label: re.Match[str], rest: str) -> bool:
    linked = _LINK.match(rest)
    if linked is not None:
        value = rest[linked.end() :]
        filler = _FILLER.match(value)
        value = value[filler.end() :] if filler is not None else value
        if label["word"] is None:
            return _opens(label, value)
        folder = label["word"].lower() == "pwd" and value.startswith(("/", "~"))
        if value and not folder and not _TALK.match(value) and not _PLACEHOLDER.match(value):
            return True
    bare = _BARE.match(rest)
    return bare is not None and _opens(label, rest[bare.end() :])


def _opens(label: re.Match[str], value: str) -> bool:
    """Whether *value* begins with what can be a code of the kind that *label* names."""
    token = _TOKEN.match(value)
    number = _NUMBER.match(value)
    digits = sum(char.isdigit() for char in number[1]) if number is not None else 0
    if label["pin"]:
        return digits >= _PIN
    if label["code"]:
        return digits >= _CVV or (token is not None and _mixed(token[1]))
    ended = number is not None and digits >= _PIN and _ENDS.match(value, number.end()) is not None
    return ended or (token is not None and _mixed(token[1]))


_PIN: Final = 4
_CVV: Final = 3
_ADDRESS: Final = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+|\S*://\S*|[~.]?/\S*|\d+(?::\d+)?[ap]m", re.IGNORECASE)


def _mixed(token: str) -> bool:
    """Whether *token* looks like a password: letters and digits side by side, or a sign in the middle of letters."""
    token = token.rstrip(".:!?'")
    if len(token) < _PIN or _ADDRESS.fullmatch(token) or _TECHNICAL.fullmatch(token):
        return False
    return re.search(r"[^\W\d_]\d|\d[^\W\d_]|\w[!@#$%^&*+=]+\w", token) is not None and not token.isdigit()


def luhn(number: str) -> bool:
    """Whether the digits of *number* end with the check digit of a payment card (ISO/IEC 7812)."""
    digits = [int(char) for char in number if char.isdigit()]
    if len(set(digits)) < 2:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def iban(text: str) -> bool:
    """Whether *text* is an account number by its check digits (ISO 13616)."""
    plain = re.sub("[ .-]", "", text)
    if not 15 <= len(plain) <= 34:
        return any(iban(text[:cut]) for cut in range(len(text) - 1, 14, -1) if text[cut] in " .-")
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def _random(word: str) -> bool:
    """Letters of both cases and digits all mixed up, as no language writes them."""
    kinds = (any(c.isdigit() for c in word), any(c.islower() for c in word), any(c.isupper() for c in word))
    changes = sum(a.isdigit() != b.isdigit() for a, b in itertools.pairwise(word))
    hexadecimal = re.fullmatch(r"[0-9a-f]{32,}", word) is not None
    return _UUID.fullmatch(word) is None and (hexadecimal or (all(kinds) and changes >= 4))


def _revision(word: str, text: str) -> bool:
    """Whether *word* is the hash of a commit or of a file: *text* speaks of one, and of no key."""
    hashed = re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}", word) is not None
    return hashed and _HASH.search(text) is not None and _CREDENTIAL.search(text) is None
