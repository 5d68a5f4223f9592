package io.github.libeventsource

/**
 * Takes batches from the native source, on the pulling thread, and learns from what became of the last one: in a burst, data that
 * will be asked for is decoded straight from an array that is used again and again, and never copied as bytes.
 */
internal class Intake(
    private val stream: Stream,
) {
    private var room: ByteArray? = null // only while much comes: a quiet source owns no buffer
    private var quiet = 0
    private var decodes = false

    /** Waits for events and takes a batch of them, or with [all] several. */
    fun take(
        source: Long,
        all: Boolean,
    ): List<Batch> {
        val first = batch(source, true)!!
        if (!all || first.isAnswerable) return listOf(first)
        val batches = arrayListOf(first)
        var size = first.size
        while (size < ENOUGH && !batches.last().isAnswerable) {
            val next = batch(source, false) ?: break
            batches.add(next)
            size += next.size
        }
        return batches
    }

    private fun batch(
        source: Long,
        wait: Boolean,
    ): Batch? {
        // What nobody decodes stays in the array that it came in.
        val again = if (decodes) room else null
        val bytes = Native.fill(source, again, wait) ?: return null
        if (bytes === again) {
            quiet = 0
            return Batch.decoded(bytes, stream)
        }
        if (bytes.size > Batch.LARGEST / 2) {
            quiet = 0
            if (decodes && room == null && bytes.size <= Batch.LARGEST) room = ByteArray(Batch.LARGEST)
        } else if (room != null && ++quiet == QUIET) {
            room = null
            quiet = 0
        }
        return Batch(bytes, null, false, stream)
    }

    /** [batches] have been delivered. Where their data was not looked at, that of the next will not be, either. */
    fun delivered(batches: List<Batch>) {
        decodes = batches.any { it.isRead }
    }

    private companion object {
        /** A batch listener is given up to 64 KiB at once: this and another batch. */
        const val ENOUGH = 48 * 1024

        /** So many batches in a row that have no need of it, and the room is given up. */
        const val QUIET = 2
    }
}
