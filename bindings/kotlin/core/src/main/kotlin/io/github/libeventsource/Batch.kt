package io.github.libeventsource

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.AbstractMap.SimpleImmutableEntry

/**
 * The events that one native call brought, as `struct record` in eventsource_jni.c lays them out. Texts stay bytes until
 * somebody asks for them. Iterated once; what is left is dropped once the source is closed, but for the Close itself.
 */
internal class Batch(
    private val bytes: ByteArray,
    private val stream: Stream,
) : Iterable<Event>,
    Iterator<Event> {
    private class Decoded(
        val at: Int,
        val length: Int,
        val text: String,
    )

    private val numbers = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder())
    private var cursor = 0
    private var ready: Event? = null

    // The last ones decoded: most events of a batch share them. Races are harmless, what is pointed to is immutable.
    private var lastType: Decoded? = null
    private var lastId: Decoded? = null
    private var lastUrl: Decoded? = null

    /** Whether this batch is an attempt about to begin: it comes alone. */
    val isConnect: Boolean
        get() = bytes[KIND].toInt() == CONNECT

    /** Whether the stream ends with this batch. */
    val isLast: Boolean
        get() = bytes[LAST_KIND].toInt() == CLOSE

    override fun iterator(): Iterator<Event> = this

    override fun hasNext(): Boolean {
        // Looked at anew each time: a close between two events holds back what lies ready.
        if (ready == null || (stream.isClosed && ready !is Event.Close)) ready = take()
        return ready != null
    }

    override fun next(): Event {
        if (!hasNext()) throw NoSuchElementException()
        val event = ready
        ready = null
        return event!!
    }

    /** The next event that is still to be delivered. Kinds that a later library may add are left out. */
    private fun take(): Event? {
        while (cursor < bytes.size) {
            val at = cursor
            cursor += numbers.getInt(at)
            val kind = bytes[at + KIND].toInt()
            if (stream.isClosed && kind != CLOSE) continue
            when (kind) {
                MESSAGE -> return Event.Message(this, at)
                COMMENT -> return Event.Comment(this, at)
                CONNECT -> return Event.Connect(this, at)
                OPEN -> return Event.Open(this, at)
                ERROR -> return Event.Error(this, at)
                CLOSE -> return Event.Close(this, at)
            }
        }
        return null
    }

    fun type(at: Int): String {
        val known = lastType
        return if (known != null && isSame(known, at + TYPE)) known.text else decode(at + TYPE).also { lastType = it }.text
    }

    fun id(at: Int): String {
        val known = lastId
        return if (known != null && isSame(known, at + ID)) known.text else decode(at + ID).also { lastId = it }.text
    }

    fun url(at: Int): String {
        val known = lastUrl
        return if (known != null && isSame(known, at + URL)) known.text else decode(at + URL).also { lastUrl = it }.text
    }

    fun data(at: Int): String = text(numbers.getInt(at + DATA), numbers.getInt(at + DATA + 4))

    fun body(at: Int): String = text(numbers.getInt(at + BODY), numbers.getInt(at + BODY + 4))

    fun error(at: Int): ErrorKind = ErrorKind.of(bytes[at + ERROR_NUMBER].toInt() and 0xff)

    fun state(at: Int): State = State.of(bytes[at + STATE_NUMBER].toInt() and 0xff)

    fun httpStatus(at: Int): Int = numbers.getInt(at + HTTP_STATUS)

    fun retryMs(at: Int): Long = numbers.getLong(at + RETRY)

    fun headers(at: Int): List<Map.Entry<String, String>> {
        var from = numbers.getInt(at + BODY) + numbers.getInt(at + BODY + 4)

        fun string(): String {
            val end = bytes.indexOfZero(from)
            return text(from, end - from).also { from = end + 1 }
        }
        return List(numbers.getInt(at + HEADERS)) { SimpleImmutableEntry(string(), string()) }
    }

    private fun isSame(
        known: Decoded,
        slot: Int,
    ): Boolean = known.at == numbers.getInt(slot) && known.length == numbers.getInt(slot + 4)

    private fun decode(slot: Int): Decoded {
        val at = numbers.getInt(slot)
        val length = numbers.getInt(slot + 4)
        return Decoded(at, length, text(at, length))
    }

    private fun text(
        at: Int,
        length: Int,
    ): String = if (length == 0) "" else String(bytes, at, length, Charsets.UTF_8)

    private companion object {
        // eventsource_kind
        const val CONNECT = 1
        const val OPEN = 2
        const val MESSAGE = 3
        const val COMMENT = 4
        const val ERROR = 5
        const val CLOSE = 6

        // struct record: where its members lie; a text is an offset and a length
        const val KIND = 4
        const val ERROR_NUMBER = 5
        const val STATE_NUMBER = 6
        const val LAST_KIND = 7
        const val TYPE = 8
        const val DATA = 16
        const val ID = 24
        const val URL = 32
        const val HTTP_STATUS = 40
        const val BODY = 44
        const val HEADERS = 52
        const val RETRY = 56

        fun ByteArray.indexOfZero(from: Int): Int {
            var at = from
            while (this[at] != 0.toByte()) at++
            return at
        }
    }
}
