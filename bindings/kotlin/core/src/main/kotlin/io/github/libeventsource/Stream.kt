package io.github.libeventsource

import java.lang.ref.WeakReference
import java.util.concurrent.CancellationException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.ExecutionException
import java.util.concurrent.Executor
import java.util.concurrent.Future
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeoutException
import java.util.concurrent.atomic.AtomicBoolean

/** Thrown after close. A type of its own, since a listener that another thread's close overtakes has done nothing wrong. */
internal class ClosedException(
    val stream: Stream,
) : IllegalStateException("the source is closed")

/**
 * What an [EventSource] is made of, without a reference to it. The pulling thread alone waits in native code and frees the
 * native source when it has seen Close; all other calls are short and exclude that under one lock.
 */
internal class Stream(
    url: String,
    private val config: Config,
) {
    private val lock = Any()
    private var handle = newSource(url) // 0 once freed; guarded by lock, but the pulling thread, which frees it, reads it freely
    private var started = false
    private val ended = ArrayList<Runnable>(1)
    private var handedOver: HandOver? = null
    private var answer: Future<*>? = null
    private var interruptions = 0
    private val intake = Intake(this) // the pulling thread's

    /** Whether close has been called. */
    @Volatile
    var isClosed = false
        private set

    /** Whether there is something that a close would cut off. */
    val isRunning: Boolean
        get() = synchronized(lock) { started && !isClosed && handle != 0L }

    fun state(): State =
        synchronized(lock) {
            if (isClosed || handle == 0L) State.CLOSED else State.of(Native.state(handle))
        }

    /** [action] is called once when the native source is gone, at once if it is. Closing what is returned takes it back. */
    fun onEnd(action: Runnable): AutoCloseable {
        synchronized(lock) {
            if (handle != 0L) {
                ended.add(action)
                return AutoCloseable { synchronized(lock) { ended.remove(action) } }
            }
        }
        quietly { action.run() }
        return AutoCloseable {}
    }

    fun start(
        source: EventSource,
        sink: Sink,
    ) {
        synchronized(lock) {
            if (isClosed) throw ClosedException(this)
            check(!started) { "the source has been started" }
            val owner = WeakReference(source)
            val thread = Thread(null, { pull(owner, sink) }, "eventsource", config.local.stackSize)
            thread.isDaemon = true
            thread.start() // where it throws, nothing has changed
            started = true
        }
    }

    /** False where that has been done before. */
    fun close(): Boolean {
        val unstarted: Boolean
        val pending: Future<*>?
        synchronized(lock) {
            if (isClosed) return false
            isClosed = true
            if (handle != 0L) Native.call(handle, Native.CLOSE, 0)
            pending = interrupted()
            handedOver?.abandon()
            unstarted = !started
        }
        cancel(pending)
        if (unstarted) free()
        return true
    }

    /** Nobody refers to the source any more. A log may take its time, so the close is first. */
    fun closeCollected() {
        val wasRunning = isRunning
        if (close() && wasRunning) quietly { Reaper.warn() }
    }

    fun call(
        call: Int,
        delay: Long = 0,
    ): Boolean = locked { Native.call(it, call, delay) }

    /** As [call], for those that the answer of a provider is not waited for any longer; only where the state was [from], if there is one. */
    fun interrupt(
        call: Int,
        from: State? = null,
    ): Boolean {
        var pending: Future<*>? = null
        // Within the call: as soon as it has returned the next attempt may ask, and that answer is wanted.
        val done =
            locked {
                val interrupts = from == null || State.of(Native.state(it)) == from
                Native.call(it, call, 0).also { status -> if (interrupts && status >= 0) pending = interrupted() }
            }
        cancel(pending)
        return done
    }

    fun callText(
        call: Int,
        first: ByteArray,
        second: ByteArray?,
    ): Boolean = locked { Native.callText(it, call, first, second) }

    fun setUrl(url: String): Boolean {
        val ascii = Platform.asciiHost(url)
        Platform.refusesCleartext(ascii)?.let { throw IllegalArgumentException(it) } // too late to ask once an attempt has begun
        return callText(Native.SET_URL, Native.cString(ascii, "the URL"), null)
    }

    fun setHeader(
        call: Int,
        name: String,
        value: String?,
    ): Boolean = callText(call, Native.cString(name, "the name"), value?.let { Native.cString(it, "the value") })

    fun fail(reason: String): Boolean {
        val text = reason.substringBefore('\u0000') + '\u0000'
        return callText(Native.FAIL, text.toByteArray(Charsets.UTF_8), null)
    }

    private inline fun locked(call: (Long) -> Int): Boolean =
        synchronized(lock) {
            if (isClosed) throw ClosedException(this)
            if (handle == 0L) return false
            val status = call(handle)
            if (status < 0) throw Native.refusal(status, "")
            status == Native.OK
        }

    private fun free() {
        val actions: List<Runnable>
        synchronized(lock) {
            Native.sourceFree(handle)
            handle = 0
            actions = ArrayList(ended)
            ended.clear()
        }
        for (action in actions) quietly { action.run() }
    }

    // ---- the pulling thread ----

    private fun pull(
        owner: WeakReference<EventSource>,
        sink: Sink,
    ) {
        try {
            do {
                // In functions of their own: while this thread waits its stack must not hold what nobody else does.
                val isLast = pullOnce(owner, sink)
            } while (!isLast)
        } finally {
            free()
        }
    }

    private fun pullOnce(
        owner: WeakReference<EventSource>,
        sink: Sink,
    ): Boolean {
        var isLast = false
        try {
            // Who hands events to another thread should not have to do so for a few of them.
            val batches = intake.take(handle, all = sink.isDirect)
            isLast = batches.last().isLast
            val source = owner.get()
            // What nobody gets nobody can object to either: no attempt may follow from it.
            if (source == null) closeCollected() else deliver(source, sink, batches)
            intake.delivered(batches)
        } catch (exhausted: Throwable) {
            // No memory: these events are lost, the stream is not. If an attempt was among them, it has not been asked about.
            quietly { failWith(exhausted) }
            owner.get()?.let { report(config, it, exhausted) }
        }
        return isLast
    }

    private fun deliver(
        source: EventSource,
        sink: Sink,
        batches: List<Batch>,
    ) {
        val before = synchronized(lock) { interruptions }
        val executor = if (sink.isDirect) null else config.local.executor
        val pending = arrayOfNulls<Future<out Map<String, String?>>>(1)
        val work =
            Runnable {
                if (batches[0].isConnect) pending[0] = prepare(source, batches[0])
                sink.deliver(source, batches)
            }
        if (executor == null) work.run() else handOver(source, executor, work, batches.last().isLast)
        pending[0]?.let { await(source, it, before) }
    }

    /** Runs [work] on [executor] and waits for it, unless a close comes before it begins. The last is run here if need be. */
    private fun handOver(
        source: EventSource,
        executor: Executor,
        work: Runnable,
        isLast: Boolean,
    ) {
        val task = HandOver(work)
        if (!isLast) {
            synchronized(lock) {
                if (isClosed) return // only Close is still to come
                handedOver = task
            }
        }
        try {
            executor.execute(task)
        } catch (rejected: Throwable) {
            // There is nobody to deliver to, but for the end. A pool that finds no thread has queued the task all the same.
            val isOurs = task.abandon()
            task.await()
            synchronized(lock) { handedOver = null }
            if (!isClosed) report(config, source, rejected)
            source.close()
            if (isLast && isOurs) work.run()
            return
        }
        if (isLast) return
        task.await()
        synchronized(lock) { handedOver = null } // it refers to the source
    }

    private class HandOver(
        private val work: Runnable,
    ) : Runnable {
        private val begun = AtomicBoolean()
        private val done = CountDownLatch(1)

        override fun run() {
            if (!begun.compareAndSet(false, true)) return
            try {
                work.run()
            } finally {
                done.countDown()
            }
        }

        /** False where it has begun, or been abandoned before. */
        fun abandon(): Boolean = begun.compareAndSet(false, true).also { if (it) done.countDown() }

        fun await() = uninterruptibly { done.await() }
    }

    /** Asks the app for headers before an attempt, and Android's policy whether there may be one. */
    private fun prepare(
        source: EventSource,
        batch: Batch,
    ): Future<out Map<String, String?>>? {
        val event = batch.connect()
        if (isClosed) return null
        try {
            Platform.refusesCleartext(event.url)?.let { throw IllegalStateException(it) }
            config.local.headers?.let { set(it.headers(source, event)) }
            return config.local.asyncHeaders?.let { answer(it, source, event) }
        } catch (refused: Throwable) {
            failWith(refused)
            return null
        }
    }

    // Java may answer null, which must not pass for having no provider.
    private fun answer(
        provider: AsyncHeaderProvider,
        source: EventSource,
        event: Event.Connect,
    ): Future<out Map<String, String?>> {
        val answer: Any? = provider.headers(source, event)
        @Suppress("UNCHECKED_CAST")
        return (answer ?: throw IllegalStateException("the provider of headers answered null")) as Future<out Map<String, String?>>
    }

    private fun await(
        source: EventSource,
        future: Future<out Map<String, String?>>,
        before: Int,
    ) {
        synchronized(lock) { answer = future }
        if (!isWanted(before)) cancel(future)
        val timeout = config.local.connectTimeout
        val begun = System.nanoTime()
        try {
            while (isWanted(before)) {
                val left = if (timeout == 0L) LOOK_MS else timeout - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun)
                // One that does not obey a cancel is not waited for: that is seen by looking.
                val until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(left.coerceIn(0, LOOK_MS))
                try {
                    uninterruptibly { set(future.get(until - System.nanoTime(), TimeUnit.NANOSECONDS)) }
                    return
                } catch (_: TimeoutException) {
                    if (left <= 0) {
                        cancel(future)
                        failWith(IllegalStateException("no headers within $timeout ms"))
                        return
                    }
                    // Nor is one busily waited for that has timed out by itself.
                    uninterruptibly { TimeUnit.NANOSECONDS.sleep(until - System.nanoTime()) }
                }
            }
        } catch (_: CancellationException) {
            if (isWanted(before)) failWith(IllegalStateException("the headers were cancelled"))
        } catch (refused: ExecutionException) {
            failWith(refused.cause ?: refused)
        } catch (refused: RuntimeException) {
            failWith(refused)
        } finally {
            synchronized(lock) { answer = null }
        }
    }

    private fun set(headers: Map<String, String?>) {
        for ((name, value) in headers) setHeader(Native.SET_HEADER, name, value)
    }

    private fun failWith(cause: Throwable) {
        try {
            fail(cause.message ?: cause.javaClass.name)
        } catch (_: ClosedException) {
            // then there is no attempt either
        }
    }

    /** With the lock held: the answer that is pending has become pointless. */
    private fun interrupted(): Future<*>? = answer.also { interruptions++ }

    private fun isWanted(before: Int): Boolean = synchronized(lock) { interruptions == before }

    /** Never throws, whatever the app's Future does. */
    private fun cancel(future: Future<*>?) = quietly { future?.cancel(true) }

    private fun newSource(url: String): Long {
        val native = config.toNative(url)
        try {
            val source = Native.sourceNew(native)
            if (Native.isStatus(source)) throw Native.refusal(source.toInt(), "")
            return source
        } finally {
            Native.configFree(native)
        }
    }

    companion object {
        private const val LOOK_MS = 100L

        /** Hands what a listener threw to the config's handler; what that throws goes to the log. */
        fun report(
            config: Config,
            source: EventSource,
            exception: Throwable,
        ) {
            if (exception is ClosedException && exception.stream === source.stream) return
            try {
                config.local.exceptionHandler.onException(source, exception)
            } catch (second: Throwable) {
                quietly { Config.LOGGING.onException(source, second) }
            }
        }

        /** For last resorts, which have no other: a log that throws, too, must end nothing. */
        inline fun quietly(action: () -> Unit) {
            try {
                action()
            } catch (_: Throwable) {
                // nobody is left to tell
            }
        }

        /** An interrupt is for whoever comes next on this thread. */
        private inline fun uninterruptibly(wait: () -> Unit) {
            var interrupted = false
            try {
                while (true) {
                    try {
                        return wait()
                    } catch (_: InterruptedException) {
                        interrupted = true
                    }
                }
            } finally {
                if (interrupted) Thread.currentThread().interrupt()
            }
        }
    }
}
