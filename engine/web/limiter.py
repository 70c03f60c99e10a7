"""How often somebody may try to log in: counted by name and address together."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager

from engine.errors import AccessError

# Ten attempts in five minutes are 2,880 a day: nothing beside a password of ten letters.
WINDOW_S = 300.0
# A lab may sit behind one address, and a guesser behind many: for each alone there is room for
# several people's mistakes, not for a list of passwords.
ROOM = 10
# Names and addresses come from whoever asks: without an end they would fill the memory.
MOST_REMEMBERED = 10_000


class Limiter:
    """Counts attempts that did not succeed within the last minutes.

    Args:
        attempts: so many for one name from one address; ten times as many for a name from all
            addresses, and for an address with all names.
    """

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts
        self.failed: OrderedDict[str, deque[float]] = OrderedDict()
        self.lock = threading.Lock()

    @contextmanager
    def attempt(self, name: str, address: str) -> Iterator[bool]:
        """Let somebody try within the block, which raises an ``AccessError`` if they fail.

        Yields whether it is their last attempt for a while, which one of many at once is told.

        Raises:
            AccessError: they tried too often; it says how long to wait.
        """
        limits = self._limits(name, address)
        # Counted before it is checked, or all that come at once would pass before the first one's
        # password is found to be wrong.
        is_last = self._claim(limits)
        try:
            yield is_last
        except AccessError:
            raise
        except BaseException:  # a busy database is nobody's mistake
            self._take_back(limits)
            raise
        # Only their own mistakes are forgotten: whoever knows one password must not clear the
        # count of an address and go on guessing.
        self._take_back(limits)
        with self.lock:
            self.failed.pop(next(iter(limits)), None)

    def _limits(self, name: str, address: str) -> dict[str, int]:
        network = network_of(address)
        return {
            f"both {network} {name}": self.attempts,
            f"name {name}": ROOM * self.attempts,
            f"address {network}": ROOM * self.attempts,
        }

    def _claim(self, limits: dict[str, int]) -> bool:
        with self.lock:
            clock = time.monotonic()
            for key, limit in limits.items():
                times = self.failed.get(key)
                while times and clock - times[0] > WINDOW_S:
                    times.popleft()
                if times and len(times) >= limit:
                    wait = WINDOW_S - (clock - times[0])
                    raise AccessError(
                        f"too many wrong passwords; try again in {wait:.0f} s", wait_s=wait
                    )
            for key in limits:
                self.failed.setdefault(key, deque()).append(clock)
                self.failed.move_to_end(key)
            while len(self.failed) > MOST_REMEMBERED:
                self.failed.popitem(last=False)
            return any(len(self.failed.get(key, ())) == limit for key, limit in limits.items())

    def _take_back(self, limits: dict[str, int]) -> None:
        with self.lock:
            for key in limits:
                times = self.failed.get(key)
                if times:
                    times.pop()
                if not times:
                    self.failed.pop(key, None)


def network_of(address: str) -> str:
    """Return who is counted as one address: of IPv6 the network, in which one machine has them all.

    >>> network_of("192.168.1.7"), network_of("::ffff:192.168.1.7"), network_of("2001:db8::1:2")
    ('192.168.1.7', '192.168.1.7', '2001:db8::')
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    # A provider hands out 64 bits of them to each customer.
    # https://www.rfc-editor.org/rfc/rfc6177
    return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
