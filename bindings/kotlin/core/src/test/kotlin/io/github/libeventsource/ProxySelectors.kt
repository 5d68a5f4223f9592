package io.github.libeventsource

import java.io.IOException
import java.net.Proxy
import java.net.ProxySelector
import java.net.SocketAddress
import java.net.URI

/** Does [test] while the VM's selector names [proxy] for everything. Gives what it was asked about. */
fun withProxySelector(
    proxy: Proxy,
    test: () -> Unit,
): List<URI> {
    val before = ProxySelector.getDefault()
    val asked = ArrayList<URI>()
    ProxySelector.setDefault(
        object : ProxySelector() {
            override fun select(uri: URI): List<Proxy> {
                asked.add(uri)
                return listOf(proxy)
            }

            override fun connectFailed(
                uri: URI,
                address: SocketAddress,
                failure: IOException,
            ) = Unit
        },
    )
    try {
        test()
    } finally {
        ProxySelector.setDefault(before)
    }
    return asked
}
