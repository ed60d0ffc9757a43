import sys

import pycom

context = pycom.ProxyContext(nameserver=sys.argv[1])
text = b"All work and no play makes Jack a dull boy. " * 1000

with context.locate("com.example.packer") as packer:
    size, packed = packer.pack(data=text, level=9)
    print(f"{len(text)} bytes packed into {size}")

    unpacked = packer.unpack(packed)
    print("and unpacked again" if unpacked == text else "and lost")

    try:
        packer.unpack(b"anything")
    except pycom.BadRequest as error:
        print(error)
