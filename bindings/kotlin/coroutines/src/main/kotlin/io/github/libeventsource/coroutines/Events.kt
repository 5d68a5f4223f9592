package io.github.libeventsource.coroutines

import io.github.libeventsource.Config
import io.github.libeventsource.Event
import io.github.libeventsource.EventSource
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.launch
import java.util.concurrent.Semaphore

/**
 * Everything that happens to this source, [Event.Close] last; then the flow is complete. Collecting starts the source and
 * the end of collecting, by whatever cause, closes it: so this can be collected once, and [Config.executor] plays no part.
 *
 * Nothing is read from the network while the collector is busy, so a slow collector slows the server down and nothing is
 * lost or piled up. [EventSource.retry] and [EventSource.fail] can be called while an error or a connect is being
 * collected, provided that no operator with a buffer lies between.
 */
public fun EventSource.events(): Flow<Event> =
    flow {
        // One batch at a time: the stream's thread puts it here and waits until it has been collected.
        val batches = Channel<Iterable<Event>>(1)
        val collected = Semaphore(0)
        start { _, batch ->
            batches.trySend(batch)
            collected.acquireUninterruptibly()
        }
        try {
            for (batch in batches) {
                for (event in batch) {
                    emit(event)
                    if (event is Event.Close) return@flow
                }
                collected.release()
            }
        } finally {
            close()
            // The batch of this moment, and the Close that is still to come and that nobody will collect.
            collected.release(2)
        }
    }

/** As `EventSource(url, config).events()`, but each collector has a source of its own. */
public fun EventSource.Companion.events(
    url: String,
    config: Config = Config(),
): Flow<Event> = flow { emitAll(EventSource(url, config).events()) }

/**
 * As [Config.headers] with a provider that may suspend. It runs in [scope]; once that is cancelled, attempts fail. A close,
 * pause or reconnect cancels the call, and so does the connect timeout.
 */
public fun Config.suspendHeaders(
    scope: CoroutineScope,
    provider: suspend (source: EventSource, event: Event.Connect) -> Map<String, String?>,
): Config =
    asyncHeaders { source, event ->
        val answer = Answer()
        val job = scope.launch { answer.settle { provider(source, event) } }
        job.invokeOnCompletion { cause -> answer.end(cause) }
        answer.also { it.job = job }
    }
