"""What calls cost, before their record arrives."""

from core.calls import VendorCall, cost_of, heard


def call(**more):
    told = {"vendor": "gemini", "operation": "explain", "outcome": "ok", "duration_ms": 5, **more}
    return VendorCall(**told)


def test_calls_cost_what_the_price_list_says(db):
    calls = [call(model="gemini-3.6-flash", units={"input_tokens": 1_000_000, "output_tokens": 100_000})] * 2
    assert cost_of(calls) == 2 * (1_500_000 + 750_000)


def test_one_call_without_a_price_makes_the_sum_unknown(db):
    calls = [call(model="gemini-3.6-flash", units={"input_tokens": 10}), call(model="x", units={"thoughts": 3})]
    assert cost_of(calls) is None


def test_what_used_nothing_cost_nothing_and_asks_nobody():
    assert cost_of([call(model="gemini-3.6-flash")]) == 0
    assert cost_of([]) == 0


def test_work_hears_its_own_calls_and_no_others():
    from core.calls import announce

    announce(call())
    with heard() as outer:
        announce(call(operation="one"))
        with heard() as inner:
            announce(call(operation="two"))
    announce(call())
    assert [each.operation for each in outer] == ["one"]
    assert [each.operation for each in inner] == ["two"]
