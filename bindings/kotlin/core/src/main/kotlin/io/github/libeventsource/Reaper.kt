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
        queue: ReferenceQueue<Any>,
    ) : PhantomReference<EventSource>(source, queue)

    private val watched = HashSet<Watch>() // guarded by this object, as is thread
    private val queue = ReferenceQueue<Any>()
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
        // The thread has a look. An interrupt would do, too, but hit the app's log, or its actions at an end.
        if (watched.isEmpty()) PhantomReference<Any>(this, queue).enqueue()
    }

    private fun newThread(): Thread {
        val thread = newBareThread(Runnable { reap() }, "eventsource-reaper", 128L * 1024)
        thread.isDaemon = true
        thread.contextClassLoader = null
        thread.start()
        return thread
    }

    /** It outlives whoever made the first source, so it should hold none of his thread locals. Java 8 and old Androids have no way. */
    private fun newBareThread(
        work: Runnable,
        name: String,
        stackSize: Long,
    ): Thread =
        try {
            Thread::class.java
                .getConstructor(
                    ThreadGroup::class.java,
                    Runnable::class.java,
                    String::class.java,
                    Long::class.java,
                    Boolean::class.java,
                ).newInstance(null, work, name, stackSize, false)
        } catch (_: ReflectiveOperationException) {
            Thread(null, work, name, stackSize)
        }

    fun warn() {
        val logger = Logger.getLogger("io.github.libeventsource")
        logger.warning("an EventSource was collected while its stream ran: keep a reference, or close it")
    }

    private fun reap() {
        do {
            // Whatever is thrown, by an interrupt or for want of memory: the next one has its turn.
            Stream.quietly { (queue.remove() as? Watch)?.stream?.closeCollected() }
        } while (isWanted())
    }

    /** Where it is not, the next source starts another thread. */
    @Synchronized
    private fun isWanted(): Boolean {
        if (watched.isEmpty()) thread = null
        return thread != null
    }
}
