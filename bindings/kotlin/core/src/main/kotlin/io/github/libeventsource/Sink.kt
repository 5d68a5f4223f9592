package io.github.libeventsource

/** Who gets the events: a listener one at a time, or a batch listener. Lets no exception out. */
internal interface Sink {
    /** Whether it is called on the pulling thread even where there is an executor. */
    val isDirect: Boolean

    fun deliver(
        source: EventSource,
        batch: Batch,
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
        batch: Batch,
    ) {
        while (batch.hasNext()) {
            try {
                when (val event = batch.next()) {
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
        }
    }
}

internal class BatchSink(
    private val listener: EventSource.BatchListener,
    private val config: Config,
) : Sink {
    override val isDirect: Boolean
        get() = true

    override fun deliver(
        source: EventSource,
        batch: Batch,
    ) {
        if (!batch.hasNext()) return
        try {
            listener.onEvents(source, batch)
        } catch (thrown: Throwable) {
            Stream.report(config, source, thrown)
        }
    }
}
