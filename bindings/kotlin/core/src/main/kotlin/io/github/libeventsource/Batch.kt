package io.github.libeventsource

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.AbstractMap.SimpleImmutableEntry

/**
 * The events that one native call brought, as `struct head` and `struct record` in batch.h lay them out. Texts stay
 * bytes until somebody asks for them, but for [texts]: the data of the messages and comments, where it has been decoded and
 * its bytes are no longer in [bytes]. Where they are all [alike] but for their data, one record stands for all.
 */
internal class Batch(
    private val bytes: ByteArray,
    private val texts: Array<String?>?,
    private val alike: Boolean,
    private val stream: Stream,
) {
    private class Decoded(
        val at: Int,
        val length: Int,
        val text: String,
    )

    private val numbers = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder())
    private val end = if (alike) bytes.size else numbers.getInt(INDEX_SIZE)

    /** How many bytes came. */
    val size = numbers.getInt(SIZE)
    private var cursor = numbers.firstRecord()
    private var item = 0

    // The last ones decoded: most events of a batch share them. Races are harmless, what is pointed to is immutable.
    private var lastType: Decoded? = null
    private var lastId: Decoded? = null
    private var lastUrl: Decoded? = null

    /** Whether somebody has asked a message for its data. */
    var isRead = false

    /** Whether this batch is an attempt about to begin: it comes alone. */
    val isConnect: Boolean
        get() = numbers.getInt(LAST_KIND) == CONNECT

    /** Whether the stream ends with this batch. */
    val isLast: Boolean
        get() = numbers.getInt(LAST_KIND) == CLOSE

    /** Whether the next native call ends the time in which the last event can be answered. */
    val isAnswerable: Boolean
        get() = numbers.getInt(LAST_KIND).let { it == CONNECT || it == ERROR || it == CLOSE }

    /** Of a batch that is one: the attempt. */
    fun connect(): Event.Connect = Event.Connect(this, numbers.firstRecord())

    /**
     * The next event. Once the source is closed what is left is dropped, but for the Close itself. Kinds that a later library may
     * add are left out.
     */
    fun nextOrNull(): Event? {
        while (cursor < end) {
            val at = cursor
            if (!alike || item + 1 == texts!!.size) cursor += numbers.getInt(at)
            val kind = bytes[at + KIND].toInt()
            val text = if (kind == MESSAGE || kind == COMMENT) texts?.get(item++) else null
            if (stream.isClosed && kind != CLOSE) continue
            when (kind) {
                MESSAGE -> return Event.Message(this, at, text)
                COMMENT -> return Event.Comment(this, at, text)
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
        val kind = bytes[at + KIND].toInt()
        val slot = if (kind == MESSAGE || kind == COMMENT) ITEMS_URL else at + URL
        val known = lastUrl
        return if (known != null && isSame(known, slot)) known.text else decode(slot).also { lastUrl = it }.text
    }

    /** The data of a message or a comment, if it was not among [texts]. */
    fun item(at: Int): String = bytes.itemText(numbers, size, at)

    /** The reason of an error or a close in words. */
    fun reason(at: Int): String = bytes.text(numbers.getInt(at + DATA), numbers.getInt(at + DATA + 4))

    fun body(at: Int): String = bytes.text(numbers.getInt(at + BODY), numbers.getInt(at + BODY + 4))

    fun error(at: Int): ErrorKind = ErrorKind.of(bytes[at + ERROR_NUMBER].toInt() and 0xff)

    fun state(at: Int): State = State.of(bytes[at + STATE_NUMBER].toInt() and 0xff)

    fun httpStatus(at: Int): Int = numbers.getInt(at + HTTP_STATUS)

    fun retryMs(at: Int): Long = numbers.getLong(at + RETRY)

    fun headers(at: Int): List<Map.Entry<String, String>> {
        var from = numbers.getInt(at + BODY) + numbers.getInt(at + BODY + 4)

        fun string(): String {
            val end = bytes.indexOfZero(from)
            return bytes.text(from, end - from).also { from = end + 1 }
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
        return Decoded(at, length, bytes.text(at, length))
    }

    companion object {
        /** How many bytes a batch of several events has at most. */
        const val LARGEST = 16 * 1024

        /** Of [room], which will be used again: the data of messages and comments as strings, and a copy of what else there is. */
        fun decoded(
            room: ByteArray,
            stream: Stream,
        ): Batch {
            val numbers = ByteBuffer.wrap(room).order(ByteOrder.nativeOrder())
            val size = numbers.getInt(SIZE)
            val texts = arrayOfNulls<String>(numbers.getInt(ITEMS))
            val end = numbers.getInt(INDEX_SIZE)
            val first = numbers.firstRecord()
            val kinds = numbers.getInt(first + KIND)
            val type = numbers.getLong(first + TYPE)
            val id = numbers.getLong(first + ID)
            var alike = true
            var at = first
            var count = 0
            while (at < end) {
                val kind = room[at + KIND].toInt()
                if (kind == MESSAGE || kind == COMMENT) texts[count++] = room.itemText(numbers, size, at) else alike = false
                alike = alike && numbers.getInt(at + KIND) == kinds && numbers.getLong(at + TYPE) == type && numbers.getLong(at + ID) == id
                at += numbers.getInt(at)
            }
            return Batch(room.copyOf(if (alike) first + numbers.getInt(first) else end), texts, alike, stream)
        }

        // eventsource_kind
        private const val CONNECT = 1
        private const val OPEN = 2
        private const val MESSAGE = 3
        private const val COMMENT = 4
        private const val ERROR = 5
        private const val CLOSE = 6

        // struct head; a text is an offset and a length
        private const val INDEX_SIZE = 0
        private const val SIZE = 4
        private const val ITEMS_URL = 8
        private const val ITEMS = 16
        private const val LAST_KIND = 20
        private const val HEAD = 24

        // struct record: where its members lie
        private const val KIND = 4
        private const val ERROR_NUMBER = 5
        private const val STATE_NUMBER = 6
        private const val TYPE = 8
        private const val ID = 16
        private const val DATA = 24

        // struct details
        private const val URL = 32
        private const val BODY = 40
        private const val HTTP_STATUS = 48
        private const val HEADERS = 52
        private const val RETRY = 56

        /** It begins at the next multiple of 8 behind the URL. */
        private fun ByteBuffer.firstRecord(): Int = (HEAD + getInt(ITEMS_URL + 4) + 7) and 7.inv()

        private fun ByteArray.text(
            at: Int,
            length: Int,
        ): String = if (length == 0) "" else String(this, at, length, Charsets.UTF_8)

        /** Data of messages and comments is counted from the batch's end. */
        private fun ByteArray.itemText(
            numbers: ByteBuffer,
            size: Int,
            at: Int,
        ): String = text(size - numbers.getInt(at + DATA), numbers.getInt(at + DATA + 4))

        private fun ByteArray.indexOfZero(from: Int): Int {
            var at = from
            while (this[at] != 0.toByte()) at++
            return at
        }
    }
}
