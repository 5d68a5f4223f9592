package io.github.libeventsource.coroutines

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Job
import java.util.concurrent.FutureTask

/** What a suspending provider will say, as the stream's thread waits for it. Cancelling it cancels the coroutine. */
internal class Answer : FutureTask<Map<String, String?>>({ emptyMap() }) {
    @Volatile
    var job: Job? = null

    suspend fun settle(provider: suspend () -> Map<String, String?>) {
        try {
            set(provider())
        } catch (cancelled: CancellationException) {
            throw cancelled
        } catch (thrown: Throwable) {
            setException(thrown) // an answer like any other: no business of the scope's
        }
    }

    /** The coroutine is over. Where it never ran, or was cancelled, that is the answer. */
    fun end(cause: Throwable?) {
        if (cause != null) setException(cause)
    }

    override fun cancel(mayInterruptIfRunning: Boolean): Boolean = super.cancel(mayInterruptIfRunning).also { if (it) job?.cancel() }
}
