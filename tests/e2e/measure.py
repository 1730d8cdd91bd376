"""Where elements of a page are."""


def box_of(element, tries=500):
    """The box of an element that stands still; one that is drawn again is measured again."""
    before = None
    for _ in range(tries):
        box = element.bounding_box()
        if box and box == before:
            return box
        before = box
        element.page.wait_for_timeout(10)
    raise AssertionError(f"{element} does not stand still: it is at {before}")
