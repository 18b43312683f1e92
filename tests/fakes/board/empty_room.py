"""`bluetooth` of a board whose radio works, with nobody near to talk to. Runs on the VM."""

FLAG_READ = 0x0002
FLAG_WRITE_NO_RESPONSE = 0x0004
FLAG_WRITE = 0x0008
FLAG_NOTIFY = 0x0010

_ENODEV = 19


class UUID:
    """Little-endian bytes, as the buffer that the real one is."""

    def __init__(self, value):
        if isinstance(value, int):
            self._bytes = value.to_bytes(2, "little")
        else:
            self._bytes = bytes(reversed(bytes.fromhex(value.replace("-", ""))))

    def __iter__(self):
        return iter(self._bytes)

    def __len__(self):
        return len(self._bytes)


class BLE:
    """The radio. It takes everything, and no event ever comes."""

    def __init__(self):
        self._active = False

    def active(self, on=None):
        if on is not None:
            self._active = on
        return self._active

    def irq(self, handler):
        pass

    def config(self, *names, **values):
        return (0, bytes(6)) if names == ("mac",) else 0

    def gatts_register_services(self, services):
        handle = 0
        registered = []
        for _, characteristics in services:
            count = len(characteristics)
            registered.append(tuple(range(handle, handle + count)))
            handle += count
        return tuple(registered)

    def gatts_write(self, handle, value, notify=False):
        pass

    def gatts_set_buffer(self, handle, size, append=False):
        pass

    def gap_advertise(self, interval_us, adv_data=None, resp_data=None, connectable=True):
        if not self._active:
            raise OSError(_ENODEV)
