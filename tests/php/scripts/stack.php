<?php // overflows the C stack: unserialize-free nesting through array_walk and __toString
class S { function __toString() { return (string)(new S); } }
echo new S;
