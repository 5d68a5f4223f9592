package io.github.libeventsource

import org.junit.jupiter.api.Assertions.fail
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit

/** How long a test waits for what must come: only a hang reaches it. */
const val DEADLINE_MS: Long = 30_000

/** Keeps every event for the test, and does [onEvent] with it first. */
open class Recorder(
    private val onEvent: (EventSource, Event) -> Unit = { _, _ -> },
) : EventSource.Listener {
    val events = LinkedBlockingQueue<Event>()

    /** The threads that the listener was called on. */
    val threads: MutableSet<Thread> = java.util.Collections.synchronizedSet(HashSet())

    private fun record(
        source: EventSource,
        event: Event,
    ) {
        threads.add(Thread.currentThread())
        try {
            onEvent(source, event)
        } finally {
            events.add(event)
        }
    }

    override fun onConnect(
        source: EventSource,
        event: Event.Connect,
    ) = record(source, event)

    override fun onOpen(
        source: EventSource,
        event: Event.Open,
    ) = record(source, event)

    override fun onMessage(
        source: EventSource,
        event: Event.Message,
    ) = record(source, event)

    override fun onComment(
        source: EventSource,
        event: Event.Comment,
    ) = record(source, event)

    override fun onError(
        source: EventSource,
        event: Event.Error,
    ) = record(source, event)

    override fun onClose(
        source: EventSource,
        event: Event.Close,
    ) = record(source, event)

    fun next(): Event = events.poll(DEADLINE_MS, TimeUnit.MILLISECONDS) ?: fail("no event")

    /** The next event of that class; others before it are passed over. */
    inline fun <reified T : Event> await(): T {
        while (true) {
            val event = next()
            if (event is T) return event
            if (event is Event.Close) fail<Unit>("closed: $event")
        }
    }

    /** All events up to Close, which is among them. */
    fun untilClose(): List<Event> {
        val all = ArrayList<Event>()
        do all.add(next()) while (all.last() !is Event.Close)
        return all
    }
}

/** Waits for what no call waits for. */
fun eventually(
    what: String,
    condition: () -> Boolean,
) {
    val end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(DEADLINE_MS)
    while (!condition()) {
        if (System.nanoTime() > end) fail<Unit>("never: $what")
        Thread.sleep(5)
    }
}
