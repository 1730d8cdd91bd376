"""Rules, and texts in which they find something."""

from hypothesis import strategies as st

from storage.redaction.rules import Redactor, Rule

CARD = "4111 1111 1111 1111"
EMAIL = "ann@example.com"
TOKEN = "ghp_" + "a1B2" * 9
SECRETS = (CARD, EMAIL, TOKEN, "10.1.2.3", "2001:db8::1", "4111-1111-1111-1111", "xyz")

actions = st.sampled_from(["mask", "hash", "drop"])
rules = st.one_of(
    st.builds(Rule, action=actions, preset=st.sampled_from(["card", "email", "token", "ip"])),
    st.builds(Rule, action=actions, pattern=st.sampled_from(["xyz", "[a-c]{2}", "é+", "(?i)XY"])),
    st.builds(
        Rule,
        action=actions,
        attribute=st.sampled_from(["k", "http.*", "*", "url.path", "*e*", "service.name"]),
    ),
)
redactors = st.builds(
    Redactor, st.lists(rules, min_size=1, max_size=4).map(tuple), st.just(b"secret")
)


@st.composite
def texts_with_secrets(draw):
    """Texts around secrets; some are JSON."""
    parts = st.one_of(st.text(max_size=4), st.sampled_from([*SECRETS, " ", '{"k":', '"', "}", ","]))
    return "".join(draw(st.lists(parts, max_size=6)))
