"""A stateful service: each client has a cart of its own."""

import pycom


@pycom.interface("com.example.cart", stateful=True)
class Cart(pycom.Service):
    """Collects the goods that a client wants to buy."""

    @pycom.method
    def add(self, request, item, count=1):
        """Put something into the cart."""
        # The session is a dict of JSON values; the first call of a client opens it.
        request.session[item] = request.session.get(item, 0) + count
        return request.session

    @pycom.method
    def check_out(self, request):
        """Take everything, and forget the cart."""
        bought = dict(request.session)
        request.session.discard()
        return bought
