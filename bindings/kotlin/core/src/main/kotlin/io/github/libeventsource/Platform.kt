package io.github.libeventsource

import java.net.IDN
import java.net.InetSocketAddress
import java.net.Proxy
import java.net.ProxySelector
import java.net.URI
import java.net.URISyntaxException

/** What the platform, not the native library, knows: international names, the system's proxy, Android's cleartext policy. */
internal object Platform {
    /**
     * [text] without the blanks around it and the line breaks and tabs in it, which the library and browsers take away first, and with
     * its host as ASCII: what is asked about it here is asked about the URL that the library sees. What cannot be converted is left
     * for the library to refuse.
     */
    fun asciiHost(text: String): String {
        val url = text.trim { it <= ' ' }.filterNot { it in "\t\r\n" }
        val host = hostOf(url) ?: return url
        if (url.substring(host).all { it.code < 0x80 }) return url
        val ascii =
            try {
                IDN.toASCII(url.substring(host))
            } catch (refused: IllegalArgumentException) {
                throw IllegalArgumentException("no international host name: ${refused.message}")
            }
        // Some letters become several characters, a slash among them: the URL would be another host's.
        require(ascii.all { it in 'a'..'z' || it in 'A'..'Z' || it in '0'..'9' || it in "-._" }) { "no international host name: $ascii" }
        return url.replaceRange(host, ascii)
    }

    /** The proxy for [url] as a URL, or null for none. */
    fun systemProxy(url: String): String? {
        val selector = ProxySelector.getDefault() ?: return null
        val ascii = asciiHost(url)
        val host = hostOf(ascii) ?: return null
        // Scheme and host are all that selectors look at, and a path need not be fit for URI.
        val target =
            try {
                URI(ascii.substringBefore("://") + "://" + ascii.substring(host) + "/")
            } catch (_: URISyntaxException) {
                return null
            }
        for (proxy in selector.select(target)) {
            val address = proxy.address() as? InetSocketAddress ?: return null // DIRECT has none
            val name = address.hostString.let { if (':' in it) "[$it]" else it }
            val scheme = if (proxy.type() == Proxy.Type.SOCKS) "socks5" else "http"
            return "$scheme://$name:${address.port}"
        }
        return null
    }

    /** Why Android's network security config forbids [url], or null if it does not. Elsewhere nothing is forbidden. */
    fun refusesCleartext(url: String): String? {
        if (!url.startsWith("http:", ignoreCase = true)) return null
        val host = hostOf(url)?.let(url::substring).orEmpty().removeSurrounding("[", "]")
        return if (isCleartextPermitted(host)) null else "cleartext HTTP to $host is not permitted by the network security policy"
    }

    // By reflection: the class is there from API 23 on, the question about one host from 24 on.
    private fun isCleartextPermitted(host: String): Boolean {
        val type = policyType ?: return true
        val policy = type.getMethod("getInstance").invoke(null)
        return try {
            type.getMethod("isCleartextTrafficPermitted", String::class.java).invoke(policy, host)
        } catch (_: NoSuchMethodException) {
            type.getMethod("isCleartextTrafficPermitted").invoke(policy)
        } as Boolean
    }

    private val policyType: Class<*>? =
        try {
            Class.forName("android.security.NetworkSecurityPolicy")
        } catch (_: ClassNotFoundException) {
            null
        }

    /** Where the host stands in [url], userinfo and port left out of it, the brackets of an IPv6 address not. */
    private fun hostOf(url: String): IntRange? {
        val scheme = url.indexOf("://")
        if (scheme < 0) return null
        val from = scheme + 3
        val end = url.indexOfAny(charArrayOf('/', '?', '#'), from).let { if (it < 0) url.length else it }
        val host = url.lastIndexOf('@', end - 1).let { if (it < from) from else it + 1 }
        val behind = if (host < end && url[host] == '[') url.indexOf(']', host).coerceIn(host, end) else host
        val port = url.indexOf(':', behind).let { if (it in behind until end) it else end }
        return if (host < port) host until port else null
    }
}
