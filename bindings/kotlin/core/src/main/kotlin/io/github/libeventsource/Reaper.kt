package io.github.libeventsource

import java.lang.ref.PhantomReference
import java.lang.ref.ReferenceQueue
import java.util.logging.Logger

/**
 * Closes the streams of sources that nobody refers to any more. It only calls close: the pulling thread frees. Its one
 * thread lives while there are sources, so that it does not keep a class loader alive after them.
 */
internal object Reaper {
    private class Watch(
        source: EventSource,
        val stream: Stream,
        queue: ReferenceQueue<EventSource>,
    ) : PhantomReference<EventSource>(source, queue)

    private val watched = HashSet<Watch>() // guarded by this object, as is thread
    private val queue = ReferenceQueue<EventSource>()
    private var thread: Thread? = null

    fun watch(
        source: EventSource,
        stream: Stream,
    ) {
        val watch = Watch(source, stream, queue)
        synchronized(this) {
            if (thread == null) thread = newThread()
            watched.add(watch)
        }
        stream.onEnd { forget(watch) }
    }

    @Synchronized
    private fun forget(watch: Watch) {
        watched.remove(watch)
        if (watched.isEmpty()) {
            thread?.interrupt()
            thread = null
        }
    }

    private fun newThread(): Thread {
        val thread = Thread(null, { reap() }, "eventsource-reaper", 128L * 1024)
        thread.isDaemon = true
        thread.contextClassLoader = null
        thread.start()
        return thread
    }

    private fun reap() {
        try {
            while (true) {
                val stream = (queue.remove() as Watch).stream
                if (stream.isRunning) {
                    Logger
                        .getLogger(
                            "io.github.libeventsource",
                        ).warning("an EventSource was collected while its stream ran: keep a reference, or close it")
                }
                stream.close()
            }
        } catch (_: InterruptedException) {
            // the last source has ended; the next one starts another thread
        }
    }
}
