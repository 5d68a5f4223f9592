package io.github.libeventsource

import java.io.File
import java.io.IOException
import java.io.InputStream
import java.nio.CharBuffer
import java.nio.charset.CharacterCodingException
import java.util.Locale

/** The functions of eventsource_jni.c, and how the library that holds them is found. */
internal object Native {
    init {
        load()
    }

    // Numbers of `call` and `callText`.
    const val CLOSE = 0
    const val PAUSE = 1
    const val RESUME = 2
    const val RECONNECT = 3
    const val RETRY = 4
    const val FAIL = 0
    const val SET_URL = 1
    const val SET_HEADER = 2
    const val SET_SECRET_HEADER = 3

    // eventsource_status
    const val OK = 0
    private const val INVALID_HIGHEST = -1
    private const val INVALID_LOWEST = -6
    private const val UNSUPPORTED = -10

    @JvmStatic external fun version(): ByteArray

    @JvmStatic external fun statusText(status: Int): ByteArray

    @JvmStatic external fun setLog(level: Int): Int

    @JvmStatic external fun configNew(url: ByteArray): Long

    @JvmStatic external fun configSet(
        config: Long,
        option: Int,
        first: ByteArray?,
        second: ByteArray?,
        number: Long,
        more: Long,
    ): Int

    @JvmStatic external fun configError(config: Long): ByteArray

    @JvmStatic external fun configFree(config: Long)

    @JvmStatic external fun sourceNew(config: Long): Long

    @JvmStatic external fun sourceFree(source: Long)

    @JvmStatic external fun state(source: Long): Int

    @JvmStatic external fun call(
        source: Long,
        call: Int,
        delay: Long,
    ): Int

    @JvmStatic external fun callText(
        source: Long,
        call: Int,
        first: ByteArray?,
        second: ByteArray?,
    ): Int

    /**
     * Whether what configNew or sourceNew gave is a status and no pointer. A pointer may well be negative: Android marks those
     * of its heap in the top byte. But none lies within the last page of memory.
     */
    fun isStatus(number: Long): Boolean = number in -4096L..-1L

    /**
     * Brings all events there are, as [Batch] reads them: in [room] where that is not null and has a purpose, else in an array of
     * its own. Where there are none it blocks, or without [wait] gives null.
     */
    @JvmStatic external fun fill(
        source: Long,
        room: ByteArray?,
        wait: Boolean,
    ): ByteArray?

    fun text(bytes: ByteArray): String = String(bytes, Charsets.UTF_8)

    /** UTF-8 with the NUL that C wants. What C or UTF-8 cannot carry is refused, never cut off or replaced. */
    fun cString(
        text: String,
        what: String,
    ): ByteArray {
        require('\u0000' !in text) { "$what holds a NUL" }
        return utf8(text, what).let { it.copyOf(it.size + 1) }
    }

    /** UTF-8. What it cannot carry is refused, never replaced. */
    fun utf8(
        text: String,
        what: String,
    ): ByteArray {
        val bytes =
            try {
                Charsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text))
            } catch (_: CharacterCodingException) {
                throw IllegalArgumentException("$what holds half a surrogate pair")
            }
        return ByteArray(bytes.remaining()).also { bytes.get(it) }
    }

    /** The exception that a refusing status stands for. */
    fun refusal(
        status: Int,
        words: String,
    ): RuntimeException {
        val message = words.ifEmpty { text(statusText(status)) }
        return when (status) {
            UNSUPPORTED -> UnsupportedOperationException(message)
            in INVALID_LOWEST..INVALID_HIGHEST -> IllegalArgumentException(message)
            else -> IllegalStateException(message)
        }
    }

    // An Android app, and a program that has installed the library, has it where loadLibrary looks. Else it is in the jar.
    private fun load() {
        try {
            System.loadLibrary("eventsource_jni")
        } catch (missing: UnsatisfiedLinkError) {
            val name = "native/${platform()}/${System.mapLibraryName("eventsource_jni")}"
            val resource =
                Native::class.java.getResourceAsStream(name)
                    ?: throw UnsatisfiedLinkError("${missing.message}, and no $name in the jar: this platform is not supported")
            try {
                loadCopy(resource, File(name).name)
            } catch (failure: IOException) {
                throw unloadable(failure)
            } catch (failure: UnsatisfiedLinkError) {
                throw unloadable(failure)
            }
        }
    }

    private fun loadCopy(
        resource: InputStream,
        name: String,
    ) {
        // A file of its own for each class loader: the VM loads no file twice.
        val file = File.createTempFile("libeventsource_jni", name)
        try {
            resource.use { from -> file.outputStream().use { from.copyTo(it) } }
            System.load(file.absolutePath)
        } finally {
            if (!file.delete()) file.deleteOnExit() // Windows keeps what is loaded
        }
    }

    private fun unloadable(cause: Throwable): Throwable {
        val where = "java.io.tmpdir (${System.getProperty("java.io.tmpdir")})"
        val advice = "name a directory there that can be written to and allows execution, or have the library on java.library.path"
        return UnsatisfiedLinkError("the native library cannot be loaded from $where: ${cause.message}; $advice").initCause(cause)
    }

    private fun platform(): String {
        val os = System.getProperty("os.name", "").lowercase(Locale.ROOT)
        val arch = System.getProperty("os.arch", "").lowercase(Locale.ROOT)
        val system =
            when {
                os.startsWith("mac") -> "macos"
                os.startsWith("windows") -> "windows"
                else -> os
            }
        val machine =
            when (arch) {
                "amd64", "x64" -> "x86_64"
                "arm64" -> "aarch64"
                else -> arch
            }
        return "$system-$machine"
    }
}
