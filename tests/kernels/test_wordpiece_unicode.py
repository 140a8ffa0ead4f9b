"""wordpiece on the whole of Unicode: every code point, every combining mark beside every class, forty scripts."""
# ruff: noqa: RUF001 - letters of many scripts

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from support.wordpiece import assert_same, hugging_face_tokenizer, ours
from tokenizers import AddedToken, Tokenizer

from tundish_kernels import WordPiece

CODE_POINTS = [*range(0xD800), *range(0xE000, 0x110000)]
# Those that the newest tables may do something with; the others are one unknown word each, whatever they are.
ASSIGNED = [chr(code) for code in CODE_POINTS if unicodedata.category(chr(code)) not in ("Cn", "Co")]
# Without planes of private use and those that nothing is assigned in, which one test goes through as well.
INHABITED = [code for code in CODE_POINTS if code < 0x34000 or 0xE0000 <= code < 0xE1000]
COMBINING = [character for character in ASSIGNED if unicodedata.category(character)[0] == "M"]
RULES = {
    "uncased": {},
    "cased": {"lowercase": False},
    "as it is": {"clean": False, "chinese": False, "strip": False, "lowercase": False},
    "decomposed": {"clean": False, "chinese": False, "strip": True, "lowercase": False},
    "lowercase alone": {"clean": False, "chinese": False, "strip": False},
}
every_rule = pytest.mark.parametrize("rule", list(RULES))


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, tuple[Tokenizer, WordPiece]]:
    """By rule; the vocabulary has every assigned character, so that no two of them look alike."""
    letters = [*ASSIGNED, *("##" + character for character in ASSIGNED)]
    made: dict[str, tuple[Tokenizer, WordPiece]] = {}
    for rule, settings in RULES.items():
        options: Any = settings
        tokenizer = hugging_face_tokenizer(template=None, extra=letters, **options)
        made[rule] = (tokenizer, ours(tokenizer))
    return made


def batches(parts: Iterable[str], size: int = 200) -> Iterator[list[str]]:
    """Texts of many parts, some at a time."""
    rest = iter(parts)
    while batch := list(itertools.islice(rest, size)):
        yield [" ".join(batch[begin : begin + 20]) for begin in range(0, len(batch), 20)]


@every_rule
def test_every_code_point(tokenizers: dict[str, tuple[Tokenizer, WordPiece]], rule: str) -> None:
    # In the middle of a word, and alone.
    codes = CODE_POINTS if rule == "uncased" else INHABITED
    for batch in batches((f"a{chr(code)}b {chr(code)}" for code in codes), 20_000):
        assert_same(*tokenizers[rule], batch)


@pytest.mark.parametrize("rule", ["uncased", "decomposed"])
def test_every_mark_is_ordered_among_the_classes(tokenizers: dict[str, tuple[Tokenizer, WordPiece]], rule: str) -> None:
    # Marks that stay where accents are stripped: spacing ones, and those that were new to the library.
    staying = ["\u302e", "\ua9c0", "\U0001d16d", "\u1dfb", "\u0898", "\U0001133b", "\u0899", "\U00016ff0"]
    parts = (f"a{left}{right}{left}b" for mark in COMBINING for other in staying for left, right in [(mark, other)])
    for batch in batches(itertools.chain(parts, (f"a{other}{mark}b" for mark in COMBINING for other in staying)), 4000):
        assert_same(*tokenizers[rule], batch)


def test_every_code_point_beside_a_token_that_stands_alone() -> None:
    added = [AddedToken("#", single_word=True, normalized=False)]
    tokenizer = hugging_face_tokenizer(template=None, added=added)
    native = ours(tokenizer)
    for batch in batches((f"#{chr(code)} {chr(code)}#" for code in INHABITED), 20_000):
        assert_same(tokenizer, native, batch)


def test_every_code_point_beside_a_token_that_strips() -> None:
    added = [AddedToken("#", lstrip=True, rstrip=True, normalized=False)]
    tokenizer = hugging_face_tokenizer(template=None, added=added)
    native = ours(tokenizer)
    for batch in batches((f"a{chr(code)}#{chr(code)}b" for code in CODE_POINTS if code < 0x4000), 4000):
        assert_same(tokenizer, native, batch)


SCRIPTS = {
    "Latin": "The quick brown fox; Ünïcödé naïve façade, İstanbul ǅ ﬁ Straße ẞ",
    "Vietnamese": "Tiếng Việt: Tôi có thể ăn thủy tinh mà không hại gì.",
    "Greek": "Τη γλώσσα μου έδωσαν ελληνική· ΟΔΥΣΣΕΥΣ ᾂδης;",
    "Cyrillic": "Съешь ещё этих мягких французских булок, Ёлка й",
    "Armenian": "Կրնամ ապակի ուտել և ինծի անհանգիստ չըներ։",
    "Georgian": "მინას ვჭამ და არა მტკივა. ᲛᲘᲜᲐᲡ",
    "Hebrew": "אני יכול לאכול זכוכית, שָׁלוֹם עֲלֵיכֶם׃",
    "Arabic": "أنا قادر على أكل الزجاج و هذا لا يؤلمني؟ السَّلَامُ",
    "Persian": "من می\u200cتوانم بدونِ احساس درد شيشه بخورم.",
    "Syriac": "ܐܢܐ ܡܨܐ ܐܢܐ ܠܡܐܟܠ ܙܓܘܓܝܬܐ܀ ܫܠܳܡܳܐ",
    "Thaana": "އަހަންނަކަށް ބިއްލޫރި ކެވޭނެ",
    "N'Ko": "ߒߞߏ ߛߓߍ߫ ߞߊ߬ ߡߊ߬",
    "Devanagari": "मैं काँच खा सकता हूँ, क़लम ज़्यादा। नमस्ते",
    "Bengali": "আমি কাঁচ খেতে পারি, কো কৌ ড়। তাতে",
    "Gurmukhi": "ਮੈਂ ਗਲਾਸ ਖਾ ਸਕਦਾ ਹਾਂ ਸ਼ ਖ਼",
    "Gujarati": "હું કાચ ખાઈ શકું છું અને તેનાથી",
    "Oriya": "ମୁଁ କାଚ ଖାଇପାରେ ଡ଼ ଢ଼ କୋ କୌ",
    "Tamil": "நான் கண்ணாடி சாப்பிடுவேன், கொ கோ கௌ",
    "Telugu": "నేను గాజు తినగలను ఐనా నాకు ఏమీ కాదు",
    "Kannada": "ನನಗೆ ಗಾಜು ತಿನ್ನಲು ಆಗುತ್ತೆ ಕೋ ಕೊ",
    "Malayalam": "എനിക്ക് ഗ്ലാസ് തിന്നാം. കൊ കോ കൌ",
    "Sinhala": "මට වීදුරු කෑමට හැකියි. කෝ කොේ ශ්‍රී",
    "Thai": "ฉันกินกระจกได้ แต่มันไม่ทำให้ฉันเจ็บ ๏ ฯ น้ำ",
    "Lao": "ຂອ້ຍກິນແກ້ວໄດ້ໂດຍທີ່ມັນບໍ່ໄດ້ເຮັດໃຫ້ ໜ",
    "Tibetan": "ཤེལ་སྒོ་ཟ་ནས་ང་ན་གི་མ་རེད། གྷ དྷ ཱི ཱུ",
    "Myanmar": "ကျွန်တော် ကျွန်မ မှန်စားနိုင်တယ်။ ဦ",
    "Khmer": "ខ្ញុំអាចញុំកញ្ចក់បាន ដោយគ្មានបញ្ហា។",
    "Ethiopic": "ሰማይ አይታረስ ንጉሥ አይከሰስ። ፍቅር፡ሰላም",
    "Cherokee": "ᎠᏂᏴᏫᏯ ᎦᏬᏂᎯᏍᏗ ꭰꮒꮼ Ꮳ",
    "Canadian Aboriginal": "ᐊᓕᒍᖅ ᓂᕆᔭᕌᖓᒃᑯ ᓱᕋᙱᑦᑐᓐᓇᖅᑐᖓ ᙮",
    "Ogham and runes": "᚛᚛ᚉᚑᚅᚔᚉᚉᚔᚋ ᚔᚈᚔ ᚛᚜ ᚛ᛖᚴ ᚷᛖᛏ ᛖᛏᛁ᛫ᛒᛁ ᛮ",
    "Mongolian": "ᠪᠢ ᠰᠢᠯᠢ ᠢᠳᠡᠶᠦ ᠴᠢᠳᠠᠨᠠ᠃ \u180e\u180b",
    "Hangul": "나는 유리를 먹을 수 있어요. 그래도 〮한〯글 ᄒᆞᆫ글 값",
    "Japanese": "私はガラスを食べられます。ﾊﾟｿｺﾝ がぎぐ が々〆ヶ「」",
    "Chinese": "我能吞下玻璃而不傷身體。㐀 𠀀 豈 更 丽 ，！",
    "Bopomofo and Yi": "ㄅㄆㄇㄈˇˋ ꀀꀁꀂ ꒐",
    "Balinese": "ᬩᬲᬩᬮᬶ ᬅᬓ᭄ᬱᬭ᭟ ᬆ ᬒ ᭀ ᭁ",
    "Javanese": "ꦲꦏ꧀ꦱꦫꦗꦮ꧉ ꦏ꧀ꦭꦶ",
    "Batak, Sundanese, Rejang": "ᯅᯖᯂ᯲ ᯃᯬ ᮃᮊ᮪ᮞᮛ ꤰꤱ꤮꥓",
    "Tifinagh and others": "ⵜⵉⴼⵉⵏⴰⵖ ⵣ⵿ ⵰ ꕙꔤ ꘍",
    "Gothic and Deseret": "𐌼𐌰𐌲 𐌲𐌻𐌴𐍃 𐌹̈𐍄𐌰𐌽 𐐔𐐯𐑅𐐨𐑉𐐯𐐻",
    "Cuneiform and hieroglyphs": "𒀀𒁹𒑰 𓂀𓅓 𐎀𐎟𐏐",
    "Adlam and Osage": "𞤀𞤣𞤤𞤢𞤥 𞤀𞥄 𐓏𐓘𐓻",
    "Chakma, Kaithi, Grantha": "𑄌𑄋𑄴𑄟𑄳𑄦 𑄮 𑄯 𑂍𑂶𑂟𑂲 𑂚 𑌗𑍋 𑍌",
    "Musical and mathematical": "𝅗𝅥 𝅘𝅥𝅮 𝆹𝅥𝅯 𝐀𝒜𝟘 ℵ Å K Ω ≠ ≮ ∉",
    "Emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪 1️⃣ ❤️ ☃ ™ ©",
    "Controls": "a\u00adb\u200bc\u2060d\u202ee\u202cf\ufeffg\u0085h\u00a0i\u3000j\u2028k\u0000l\u001fm\ufffdn",
}


@every_rule
@pytest.mark.parametrize("script", list(SCRIPTS))
def test_forty_scripts(tokenizers: dict[str, tuple[Tokenizer, WordPiece]], rule: str, script: str) -> None:
    text = SCRIPTS[script]
    forms: list[Any] = ["NFC", "NFD", "NFKC", "NFKD"]
    variants = [text, text.upper(), text.lower(), text[::-1], *(unicodedata.normalize(form, text) for form in forms)]
    assert_same(*tokenizers[rule], [*variants, *(variant.replace(" ", "") for variant in variants)])
    assert_same(*tokenizers[rule], variants, variants[::-1], maximum=15)


def test_scripts_are_forty() -> None:
    assert len(SCRIPTS) >= 40
