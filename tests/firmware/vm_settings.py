"""Settings and calibration: checked, and whole after a power cut at any moment."""

from binascii import crc32

from flash_chip import FILE_SYSTEMS, Flash, PowerCut, use
from sensor.settings import CalibrationRecord, FlashRecord, Settings


def copy_of(flash, energy=None):
    twin = Flash(flash.early, flash.cache)
    twin.files = dict(flash.files)
    twin.energy = energy
    return use(twin)


def finish(steps):
    """Take all steps of a store."""
    for _ in steps:
        pass


def store(value):
    finish(FlashRecord("r").store(value))


def load():
    return FlashRecord("r").load()


def steps_of(flash, value):
    """How many steps a store takes."""
    twin = copy_of(flash)
    load()
    store(value)
    return twin.steps


def states_after_every_cut(flash, value):
    """What may lie in flash after the power failed during load and store, each state once."""
    states = []
    for energy in range(steps_of(flash, value) + 1):
        cut = copy_of(flash, energy)
        try:
            load()
            store(value)
        except PowerCut:
            assert energy < steps_of(flash, value)
        if cut.files not in states:
            states.append(cut.files)
    return states


def test_a_power_cut_at_any_byte_or_step_leaves_the_old_or_the_new():
    for kind in FILE_SYSTEMS:
        flash = use(Flash(*kind))
        for old, new in ((None, "a"), ("a", "b"), ("b", "cc")):
            seen = []
            for files in states_after_every_cut(flash, new):
                cut = Flash(*kind)
                cut.files = files
                copy_of(cut)
                value = load()
                assert value in (old, new), (kind, value)
                seen.append(value)
            # First the old one, then, from some step on, the new one, and never back.
            turn = seen.index(new)
            assert turn > 0
            assert seen == [old] * turn + [new] * (len(seen) - turn)
            use(flash)
            load()
            store(new)


def test_a_second_power_cut_during_recovery_loses_nothing_either():
    for kind in FILE_SYSTEMS:
        flash = use(Flash(*kind))
        store("a")
        store("b")
        for first in states_after_every_cut(flash, "c"):
            cut = Flash(*kind)
            cut.files = first
            copy_of(cut)
            survived = load()
            for second in states_after_every_cut(cut, "d"):
                again = Flash(*kind)
                again.files = second
                copy_of(again)
                assert load() in (survived, "d")
                store("e")  # and the flash is as usable as ever
                assert load() == "e"


def test_a_file_is_synced_before_it_takes_the_place_of_another():
    """Else FAT may have the new name in flash, and of the content nothing."""
    flash = use(Flash(True, cache=True))
    for value in ("a", "b"):
        for _ in FlashRecord("r").store(value):
            unsynced = copy_of_what_a_cut_leaves(flash)
            for path in ("r.json", "r.old"):
                assert unsynced.get(path) != b""


def copy_of_what_a_cut_leaves(flash):
    """The files, if the power failed now."""
    return {path: b"" if flash.waits(path) else flash.files[path] for path in flash.files}


def test_a_torn_file_gives_way_to_the_version_before():
    flash = use(Flash(False))
    store("a")
    store("b")
    for at in range(len(flash.files["r.json"])):
        torn = copy_of(flash)
        content = bytearray(torn.files["r.json"])
        content[at] ^= 0x40
        torn.files["r.json"] = bytes(content)
        assert load() == "a"
    copy_of(flash).files["r.json"] = b""
    assert load() == "a"


def test_flash_without_any_record_means_defaults():
    use(Flash(False))
    settings = Settings(FlashRecord("settings"))
    assert list(settings.fields().items()) == [
        ("name", "Leg curl"),
        ("rate_hz", 100),
        ("frame_ms", 250),
    ]
    assert CalibrationRecord(FlashRecord("calibration")).value is None


def record_of(text):
    return text + b"\n" + b"%08x" % crc32(text)


def test_a_record_of_another_version_is_not_read():
    flash = use(Flash(False))
    flash.files["r.json"] = record_of(b'{"version": 2, "value": "later"}')
    assert load() is None
    flash.files["r.json"] = record_of(b'{"version": 1, "value": "now"}')
    assert load() == "now"


def test_another_firmwares_settings_never_keep_the_sensor_from_starting():
    flash = use(Flash(False))
    flash.files["settings.json"] = record_of(
        b'{"version": 1, "value": {"rate_hz": 4000, "colour": "red", "frame_ms": 500}}'
    )
    settings = Settings(FlashRecord("settings"))
    assert list(settings.fields().values()) == ["Leg curl", 100, 500]
    for value in (b"[1]", b'"x"', b"5", b'{"extended_raw": 3}'):
        for name in ("settings", "calibration"):
            flash.files[name + ".json"] = record_of(b'{"version": 1, "value": ' + value + b"}")
        assert Settings(FlashRecord("settings")).rate_hz == 100
        assert CalibrationRecord(FlashRecord("calibration")).value is None


def test_full_flash_is_an_error_and_the_old_version_stays():
    flash = use(Flash(True))
    settings = Settings(FlashRecord("settings"))
    finish(settings.change({"rate_hz": 200}))
    flash.full = True
    failed = False
    try:
        finish(settings.change({"rate_hz": 50}))
    except OSError:
        failed = True
    assert failed
    assert settings.rate_hz == 200
    assert Settings(FlashRecord("settings")).rate_hz == 200


def test_settings_survive_a_restart():
    use(Flash(False))
    finish(Settings(FlashRecord("settings")).change({"name": "Röhre 7", "frame_ms": 100}))
    settings = Settings(FlashRecord("settings"))
    assert (settings.name, settings.rate_hz, settings.frame_ms) == ("Röhre 7", 100, 100)


def test_an_unchanged_setting_is_not_written_again():
    flash = use(Flash(False))
    settings = Settings(FlashRecord("settings"))
    finish(settings.change({"rate_hz": 100}))
    assert flash.steps == 0


def refusal(call):
    try:
        call()
    except ValueError as error:
        return str(error)
    return ""


def test_a_put_is_taken_whole_or_not_at_all():
    use(Flash(False))
    settings = Settings(FlashRecord("settings"))
    for changes, word in (
        ({"rate_hz": 19}, "rate_hz"),
        ({"rate_hz": 401}, "rate_hz"),
        ({"rate_hz": 100.5}, "rate_hz"),
        ({"rate_hz": True}, "rate_hz"),
        ({"rate_hz": "100"}, "rate_hz"),
        ({"rate_hz": None}, "rate_hz"),
        ({"frame_ms": 49}, "frame_ms"),
        ({"frame_ms": 1001}, "frame_ms"),
        ({"frame_ms": 100, "rate_hz": 1}, "rate_hz"),
        ({"name": ""}, "name"),
        ({"name": "ö" * 17}, "name"),
        ({"name": 5}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"colour": "red", "frame_ms": 100}, "colour"),
        ([1], "object"),
        (None, "object"),
        (7, "object"),
    ):
        message = refusal(lambda changes=changes: finish(settings.change(changes)))
        assert word in message, changes
        assert (settings.name, settings.rate_hz, settings.frame_ms) == ("Leg curl", 100, 250)
    for changes in ({"rate_hz": 20}, {"rate_hz": 400}, {"frame_ms": 50}, {"name": "ö" * 16}):
        assert refusal(lambda changes=changes: finish(settings.change(changes))) == ""


def test_a_calibration_is_two_different_angles_and_maybe_a_direction():
    use(Flash(False))
    record = CalibrationRecord(FlashRecord("calibration"))
    for calibration, word in (
        ({"extended_raw": 1}, "flexed_raw"),
        ({"extended_raw": 1, "flexed_raw": 65536}, "flexed_raw"),
        ({"extended_raw": -1, "flexed_raw": 5}, "extended_raw"),
        ({"extended_raw": 5, "flexed_raw": 5}, "same"),
        ({"extended_raw": 5, "flexed_raw": 6, "direction": 0}, "direction"),
        ({"extended_raw": 5, "flexed_raw": 6, "offset": 0}, "offset"),
        ([1, 2], "object"),
        ("x", "object"),
    ):
        message = refusal(lambda calibration=calibration: finish(record.change(calibration)))
        assert word in message, calibration
        assert record.value is None
    finish(record.change({"flexed_raw": 36864, "direction": -1, "extended_raw": 16384}))
    again = CalibrationRecord(FlashRecord("calibration"))
    assert list(again.value.items()) == [
        ("extended_raw", 16384),
        ("flexed_raw", 36864),
        ("direction", -1),
    ]
    finish(again.change(None))
    assert CalibrationRecord(FlashRecord("calibration")).value is None
