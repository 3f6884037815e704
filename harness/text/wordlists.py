"""Lists of English words: function words, negations and opposites."""

from __future__ import annotations

NEGATIONS = frozenset({"no", "not"})

_BASIC = """
    a an the and or but if then so because of to in on at for with from by about as into it is
    are was were be been being am do does did have has had will would can could should may might
    must you your yours i me my we us our he she they them his her their this that these those
    what which who when where how there here than
"""
_FURTHER = """
    some any such each every both another other others mine myself yourself ours ourselves him
    himself hers herself its itself theirs themselves one ones whom whose doing done having
    shall ought get got ve re ll s d m don didn doesn isn aren wasn weren hasn haven hadn won
    wouldn couldn shouldn onto through during within among between per via over upon toward
    towards regarding concerning nor yet else since while why though although until till anymore
    also too very really just quite rather please kindly well ok okay hi hello hey thanks thank
    now still etc eg ie e g like lot lots bit little much many whether out up off away around
    again let lets want need following given using use
"""

BASIC_FUNCTION_WORDS = NEGATIONS | frozenset(_BASIC.split())
"""The most frequent function words, as the fitted judges count them. Weights depend on this list."""

FUNCTION_WORDS = frozenset((_BASIC + _FURTHER).split())
"""Words of grammar or politeness: a text that adds, omits or exchanges them asks the same. A negation
is none of them."""

_OPPOSITES = """
    above/below add/subtract add/remove after/before all/none always/never any/none ascending/descending
    add/delete asc/desc bottom/top best/worst big/small boy/girl boyfriend/girlfriend boys/girls
    brother/sister brothers/sisters buy/sell ceiling/floor child/parent children/parents client/server
    close/open column/row columns/rows compress/decompress daughter/son daughters/sons day/night
    decode/encode decrypt/encrypt decrease/increase decrement/increment delete/insert deserialize/serialize
    disable/enable divide/multiply download/upload early/late earliest/latest east/west easy/hard
    empty/full encode/decode end/start ending/starting even/odd ex/current export/import external/internal
    fail/pass false/true fast/slow father/mother fathers/mothers female/male females/males first/last
    forward/backward front/back get/set good/bad greater/less greater/smaller happy/sad hate/love heavy/light
    hide/show high/low higher/lower highest/lowest horizontal/vertical hot/cold husband/wife
    in/out inner/outer input/output inside/outside join/split largest/smallest larger/smaller least/most
    leading/trailing left/right less/more long/short longer/shorter longest/shortest loss/gain loss/profit
    lower/upper lowercase/uppercase man/woman max/min maximal/minimal maximize/minimize maximum/minimum
    men/women mom/dad mum/dad more/fewer near/far negative/positive new/old newest/oldest next/previous
    niece/nephew north/south off/on old/young older/younger oldest/youngest pop/push positive/negative
    prefix/suffix private/public push/pull read/write recursive/iterative rise/fall same/different
    shallow/deep sink/source start/stop strong/weak success/failure sum/difference sum/product
    synchronous/asynchronous sync/async tail/head uncle/aunt under/over up/down vowel/consonant
    vowels/consonants warm/cool wide/narrow win/lose with/without wrong/right wrong/correct
    strongest/weakest biggest/smallest tallest/shortest fastest/slowest boys/girls lend/borrow
    mothers/fathers mum/dad mommy/daddy grandmother/grandfather grandma/grandpa stepfather/stepmother
    fiance/fiancee celsius/fahrenheit
"""

OPPOSITES = frozenset(frozenset(pair.split("/")) for pair in _OPPOSITES.split())
"""Pairs of words whose embeddings are as close as those of synonyms."""
