package io.github.libeventsource

/** Who gets the events: a listener one at a time, or a batch listener. Lets no exception out. */
internal interface Sink {
    /** Whether it is called on the pulling thread even where there is an executor. */
    val isDirect: Boolean

    fun deliver(
        source: EventSource,
        batches: List<Batch>,
    )
}

internal class ListenerSink(
    private val listener: EventSource.Listener,
    private val config: Config,
) : Sink {
    override val isDirect: Boolean
        get() = false

    override fun deliver(
        source: EventSource,
        batches: List<Batch>,
    ) {
        for (batch in batches) while (deliverNext(source, batch)) Unit
    }

    /** False where there is no more. */
    private fun deliverNext(
        source: EventSource,
        batch: Batch,
    ): Boolean {
        try {
            when (val event = batch.nextOrNull()) {
                null -> return false
                is Event.Message -> listener.onMessage(source, event)
                is Event.Comment -> listener.onComment(source, event)
                is Event.Connect -> listener.onConnect(source, event)
                is Event.Open -> listener.onOpen(source, event)
                is Event.Error -> listener.onError(source, event)
                is Event.Close -> listener.onClose(source, event)
            }
        } catch (thrown: Throwable) {
            Stream.report(config, source, thrown)
        }
        return true
    }
}

internal class BatchSink(
    private val listener: EventSource.BatchListener,
    private val config: Config,
    private val stream: Stream,
) : Sink {
    override val isDirect: Boolean
        get() = true

    override fun deliver(
        source: EventSource,
        batches: List<Batch>,
    ) {
        val events = Burst(batches, stream)
        if (!events.hasNext()) return
        try {
            listener.onEvents(source, events)
        } catch (thrown: Throwable) {
            Stream.report(config, source, thrown)
        }
    }
}
