"""Which paragraph of an article is nearest to what a link is about: TF-IDF and the cosine between.

Salton and Buckley, "Term-weighting approaches in automatic text retrieval" (1988): (1 + log tf) x idf, length-normalised.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit

from models.orders.text.markdown import words

# Words too common to tell one paragraph from another, and the furniture of addresses.
_STOP = frozenset(
    re.findall(
        r"\w+",
        """a about after all also an and any are as at be because been before best but by can could did do does for
        from get had has have he her here his how i if in into is it its just like make more most my new no not now of
        on one only or other our out over read see she should so some such than that the their them then there these
        they this to top up us use was we were what when where which who why will with would you your
        www com org net htm html php index""",
    )
)
_ENDINGS = (("ies", 3), ("ing", 4), ("ers", 4), ("es", 4), ("ed", 4), ("er", 4), ("s", 3), ("e", 4), ("y", 4))


def terms(text: str) -> list[str]:
    """The words that carry meaning, in small letters and without their commonest English endings."""
    folded = (part for word in words(text.lower()) for part in re.split(r"['\u2019.-]", word))
    return [_stem(word) for word in folded if len(word) > 1 and word not in _STOP]


def url_words(url: str) -> str:
    """The words in a URL's path: “/blog/grow-a_community.html” has three."""
    return re.sub(r"[\W_]+", " ", unquote(urlsplit(url).path))


class Relevance:
    """How near each of some texts is to a question, 0 to 1."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(terms(text)) for text in texts]
        seen = Counter(term for count in counts for term in count)
        self._idf = {term: math.log((1 + len(texts)) / (1 + number)) + 1 for term, number in seen.items()}
        self._rare = math.log(1 + len(texts)) + 1
        self._vectors = [self._vector(count) for count in counts]

    def scores(self, question: Mapping[str, float]) -> list[float]:
        """The cosine of each text with `question`, which maps texts to their weights."""
        asked: defaultdict[str, float] = defaultdict(float)
        for text, weight in question.items():
            for term in set(terms(text)):
                asked[term] += weight
        vector = self._normal(
            {term: weight * self._idf.get(term, self._rare) for term, weight in asked.items()}
        )
        return [
            sum(value * other.get(term, 0.0) for term, value in vector.items()) for other in self._vectors
        ]

    def _vector(self, count: Mapping[str, int]) -> dict[str, float]:
        return self._normal(
            {term: (1 + math.log(number)) * self._idf[term] for term, number in count.items()}
        )

    @staticmethod
    def _normal(vector: dict[str, float]) -> dict[str, float]:
        length = math.sqrt(sum(value * value for value in vector.values()))
        return {term: value / length for term, value in vector.items()} if length else {}


def _stem(word: str) -> str:
    for ending, least in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= least and not word.endswith("ss"):
            return word[: -len(ending)]
    return word
