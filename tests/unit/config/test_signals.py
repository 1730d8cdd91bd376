"""Signals that ask for a stop."""

import os
import signal
import subprocess
import sys
import time

from config.signals import Stop, stop_signals


def test_a_signal_asks_for_a_stop_and_ends_the_wait():
    with stop_signals() as stop:
        assert not stop.is_set()
        assert not stop.wait(0.001)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait()
        assert stop.is_set()

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


A_SIGNAL_TO_ANOTHER_THREAD = """
import signal, threading, time
from config.signals import stop_signals

def wait_then_send():
    main = threading.main_thread().native_id
    while open(f"/proc/self/task/{main}/syscall").read().split()[0] not in poll:
        time.sleep(0.001)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

# poll and ppoll of Linux on x86-64.
poll = {"7", "271"}
with stop_signals() as stop:
    threading.Thread(target=wait_then_send, daemon=True).start()
    assert stop.wait(30)
"""


def test_a_signal_that_reaches_a_thread_of_a_library_ends_the_wait(project_root):
    program = [sys.executable, "-c", A_SIGNAL_TO_ANOTHER_THREAD]
    subprocess.run(program, cwd=project_root, check=True, timeout=60)


def test_no_number_of_signals_is_too_many():
    stop = Stop()
    for _ in range(100_000):
        stop.ask()
    assert stop.wait(0)
    stop.close()


def test_a_wait_lasts_as_long_as_it_was_told_to():
    stop = Stop()
    began = time.monotonic()
    seconds = 0.05
    assert not stop.wait(seconds)
    assert time.monotonic() - began >= seconds
    stop.close()


A_SIGNAL_AT_ANY_MOMENT = """
import os, random, signal, threading, time
from config.signals import stop_signals

rounds = threading.Semaphore(0)

def send():
    while True:
        rounds.acquire()
        at = time.perf_counter() + random.random() * 0.0003
        while time.perf_counter() < at:
            pass
        os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=send, daemon=True).start()
for _ in range(5000):
    with stop_signals() as stop:
        rounds.release()
        while not stop.wait(0):
            pass
"""


def test_a_signal_at_any_moment_of_a_wait_ends_it(project_root):
    program = [sys.executable, "-c", A_SIGNAL_AT_ANY_MOMENT]
    subprocess.run(program, cwd=project_root, check=True, timeout=120)
