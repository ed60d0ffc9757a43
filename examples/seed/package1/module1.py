import pycom


@pycom.interface("com.foo.example")
class MyService(pycom.Service):
    @pycom.method
    def bar(self, request, name, value=None):
        return {name: value}
