package io.github.libeventsource

/** Batches as one: what a batch listener gets. Iterated once. */
internal class Burst(
    private val batches: List<Batch>,
    private val stream: Stream,
) : Iterable<Event>,
    Iterator<Event> {
    private var current = 0
    private var ready: Event? = null

    override fun iterator(): Iterator<Event> = this

    override fun hasNext(): Boolean {
        // Looked at anew each time: a close between two events holds back what lies ready. What it has promised next() gives, even if
        // another thread closes in between.
        if (ready == null || (stream.isClosed && ready !is Event.Close)) ready = take()
        return ready != null
    }

    override fun next(): Event {
        val event = ready ?: take() ?: throw NoSuchElementException()
        ready = null
        return event
    }

    private fun take(): Event? {
        while (current < batches.size) {
            batches[current].nextOrNull()?.let { return it }
            current++
        }
        return null
    }
}
