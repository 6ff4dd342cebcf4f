;; Products of signs, one bit each: 1 stands for a negative number, 0 for any other, so that zero counts as positive.
;; `npm run xnor` builds xnor-bytes.ts from it.
(module
  (memory (export "memory") 1)

  (func $dot (param $counts v128) (param $length i32) (result f32)
    (f32.convert_i32_s (i32.sub (local.get $length) (i32.shl
      (i32.add
        (i32.add (i32x4.extract_lane 0 (local.get $counts)) (i32x4.extract_lane 1 (local.get $counts)))
        (i32.add (i32x4.extract_lane 2 (local.get $counts)) (i32x4.extract_lane 3 (local.get $counts))))
      (i32.const 1)))))

  ;; Of counts in bytes, sums of four neighbours.
  (func $widen (param $counts v128) (result v128)
    (i32x4.extadd_pairwise_i16x8_u (i16x8.extadd_pairwise_i8x16_u (local.get $counts))))

  ;; c[m][n] = length − 2·popcount(a[m] xor b[n]) as float32. Rows take a multiple of 16 bytes; m is even, n a multiple of 4.
  ;; All rows of a are met by four of b before the next four, so that a stays in the cache where it is small.
  (func (export "multiply")
    (param $a i32) (param $b i32) (param $c i32) (param $m i32) (param $n i32) (param $bytes i32) (param $length i32)
    (local $aStart i32) (local $aEnd i32) (local $bEnd i32) (local $row i32) (local $k i32) (local $stop i32) (local $stride i32)
    (local $a1 i32) (local $p i32) (local $b1 i32) (local $b2 i32) (local $b3 i32)
    (local $x v128) (local $y v128) (local $w v128)
    (local $s00 v128) (local $s01 v128) (local $s02 v128) (local $s03 v128)
    (local $s10 v128) (local $s11 v128) (local $s12 v128) (local $s13 v128)
    (local $t00 v128) (local $t01 v128) (local $t02 v128) (local $t03 v128)
    (local $t10 v128) (local $t11 v128) (local $t12 v128) (local $t13 v128)
    (local.set $stride (i32.shl (local.get $n) (i32.const 2)))
    (local.set $aEnd (i32.add (local.get $a) (i32.mul (local.get $m) (local.get $bytes))))
    (local.set $bEnd (i32.add (local.get $b) (i32.mul (local.get $n) (local.get $bytes))))
    (local.set $aStart (local.get $a))
    (local.set $p (local.get $b))
    (loop $columns
      (local.set $b1 (i32.add (local.get $p) (local.get $bytes)))
      (local.set $b2 (i32.add (local.get $b1) (local.get $bytes)))
      (local.set $b3 (i32.add (local.get $b2) (local.get $bytes)))
      (local.set $a (local.get $aStart))
      (local.set $row (local.get $c))
      (loop $rows
        (local.set $a1 (i32.add (local.get $a) (local.get $bytes)))
        (local.set $t00 (v128.const i32x4 0 0 0 0)) (local.set $t01 (v128.const i32x4 0 0 0 0))
        (local.set $t02 (v128.const i32x4 0 0 0 0)) (local.set $t03 (v128.const i32x4 0 0 0 0))
        (local.set $t10 (v128.const i32x4 0 0 0 0)) (local.set $t11 (v128.const i32x4 0 0 0 0))
        (local.set $t12 (v128.const i32x4 0 0 0 0)) (local.set $t13 (v128.const i32x4 0 0 0 0))
        (local.set $k (i32.const 0))
        (loop $chunks
          (local.set $s00 (v128.const i32x4 0 0 0 0)) (local.set $s01 (v128.const i32x4 0 0 0 0))
          (local.set $s02 (v128.const i32x4 0 0 0 0)) (local.set $s03 (v128.const i32x4 0 0 0 0))
          (local.set $s10 (v128.const i32x4 0 0 0 0)) (local.set $s11 (v128.const i32x4 0 0 0 0))
          (local.set $s12 (v128.const i32x4 0 0 0 0)) (local.set $s13 (v128.const i32x4 0 0 0 0))
          ;; A byte holds the counts of 31 bytes: 31 · 8 = 248.
          (local.set $stop (i32.add (local.get $k) (i32.const 496)))
          (if (i32.gt_u (local.get $stop) (local.get $bytes)) (then (local.set $stop (local.get $bytes))))
          (loop $inner
            (local.set $x (v128.load (i32.add (local.get $a) (local.get $k))))
            (local.set $y (v128.load (i32.add (local.get $a1) (local.get $k))))
            (local.set $w (v128.load (i32.add (local.get $p) (local.get $k))))
            (local.set $s00 (i8x16.add (local.get $s00) (i8x16.popcnt (v128.xor (local.get $x) (local.get $w)))))
            (local.set $s10 (i8x16.add (local.get $s10) (i8x16.popcnt (v128.xor (local.get $y) (local.get $w)))))
            (local.set $w (v128.load (i32.add (local.get $b1) (local.get $k))))
            (local.set $s01 (i8x16.add (local.get $s01) (i8x16.popcnt (v128.xor (local.get $x) (local.get $w)))))
            (local.set $s11 (i8x16.add (local.get $s11) (i8x16.popcnt (v128.xor (local.get $y) (local.get $w)))))
            (local.set $w (v128.load (i32.add (local.get $b2) (local.get $k))))
            (local.set $s02 (i8x16.add (local.get $s02) (i8x16.popcnt (v128.xor (local.get $x) (local.get $w)))))
            (local.set $s12 (i8x16.add (local.get $s12) (i8x16.popcnt (v128.xor (local.get $y) (local.get $w)))))
            (local.set $w (v128.load (i32.add (local.get $b3) (local.get $k))))
            (local.set $s03 (i8x16.add (local.get $s03) (i8x16.popcnt (v128.xor (local.get $x) (local.get $w)))))
            (local.set $s13 (i8x16.add (local.get $s13) (i8x16.popcnt (v128.xor (local.get $y) (local.get $w)))))
            (local.set $k (i32.add (local.get $k) (i32.const 16)))
            (br_if $inner (i32.lt_u (local.get $k) (local.get $stop))))
          (local.set $t00 (i32x4.add (local.get $t00) (call $widen (local.get $s00))))
          (local.set $t01 (i32x4.add (local.get $t01) (call $widen (local.get $s01))))
          (local.set $t02 (i32x4.add (local.get $t02) (call $widen (local.get $s02))))
          (local.set $t03 (i32x4.add (local.get $t03) (call $widen (local.get $s03))))
          (local.set $t10 (i32x4.add (local.get $t10) (call $widen (local.get $s10))))
          (local.set $t11 (i32x4.add (local.get $t11) (call $widen (local.get $s11))))
          (local.set $t12 (i32x4.add (local.get $t12) (call $widen (local.get $s12))))
          (local.set $t13 (i32x4.add (local.get $t13) (call $widen (local.get $s13))))
          (br_if $chunks (i32.lt_u (local.get $k) (local.get $bytes))))
        (f32.store offset=0 (local.get $row) (call $dot (local.get $t00) (local.get $length)))
        (f32.store offset=4 (local.get $row) (call $dot (local.get $t01) (local.get $length)))
        (f32.store offset=8 (local.get $row) (call $dot (local.get $t02) (local.get $length)))
        (f32.store offset=12 (local.get $row) (call $dot (local.get $t03) (local.get $length)))
        (local.set $row (i32.add (local.get $row) (local.get $stride)))
        (f32.store offset=0 (local.get $row) (call $dot (local.get $t10) (local.get $length)))
        (f32.store offset=4 (local.get $row) (call $dot (local.get $t11) (local.get $length)))
        (f32.store offset=8 (local.get $row) (call $dot (local.get $t12) (local.get $length)))
        (f32.store offset=12 (local.get $row) (call $dot (local.get $t13) (local.get $length)))
        (local.set $row (i32.add (local.get $row) (local.get $stride)))
        (local.set $a (i32.add (local.get $a1) (local.get $bytes)))
        (br_if $rows (i32.lt_u (local.get $a) (local.get $aEnd))))
      (local.set $c (i32.add (local.get $c) (i32.const 16)))
      (local.set $p (i32.add (local.get $b3) (local.get $bytes)))
      (br_if $columns (i32.lt_u (local.get $p) (local.get $bEnd)))))

  ;; In place: c[m][n] · scales[n] + biases[n]; n is a multiple of 4.
  (func (export "scaleColumns") (param $c i32) (param $scales i32) (param $biases i32) (param $m i32) (param $n i32)
    (local $i i32) (local $end i32)
    (local.set $end (i32.shl (local.get $n) (i32.const 2)))
    (loop $rows
      (local.set $i (i32.const 0))
      (loop $columns
        (v128.store (local.get $c) (f32x4.add
          (f32x4.mul (v128.load (local.get $c)) (v128.load (i32.add (local.get $scales) (local.get $i))))
          (v128.load (i32.add (local.get $biases) (local.get $i)))))
        (local.set $c (i32.add (local.get $c) (i32.const 16)))
        (local.set $i (i32.add (local.get $i) (i32.const 16)))
        (br_if $columns (i32.lt_u (local.get $i) (local.get $end))))
      (local.set $m (i32.sub (local.get $m) (i32.const 1)))
      (br_if $rows (local.get $m))))

  ;; In place: c[n] · scale + bias; n is a multiple of 4.
  (func (export "scaleRow") (param $c i32) (param $scale f32) (param $bias f32) (param $n i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $c) (i32.shl (local.get $n) (i32.const 2))))
    (loop $columns
      (v128.store (local.get $c) (f32x4.add
        (f32x4.mul (v128.load (local.get $c)) (f32x4.splat (local.get $scale))) (f32x4.splat (local.get $bias))))
      (local.set $c (i32.add (local.get $c) (i32.const 16)))
      (br_if $columns (i32.lt_u (local.get $c) (local.get $end)))))

  ;; Signs of rows of float32; what is left of a row's bytes becomes 0.
  (func (export "packRows")
    (param $from i32) (param $to i32) (param $rows i32) (param $length i32) (param $bytes i32)
    (local $end16 i32) (local $end i32) (local $toEnd i32) (local $bits i32) (local $i i32)
    (local $zero v128)
    (loop $row
      (local.set $end16 (i32.add (local.get $from) (i32.shl (i32.and (local.get $length) (i32.const -16)) (i32.const 2))))
      (local.set $end (i32.add (local.get $from) (i32.shl (local.get $length) (i32.const 2))))
      (local.set $toEnd (i32.add (local.get $to) (local.get $bytes)))
      (block $vectorsDone
        (loop $vectors
          (br_if $vectorsDone (i32.ge_u (local.get $from) (local.get $end16)))
          (i32.store16 (local.get $to) (i8x16.bitmask (i8x16.narrow_i16x8_s
            (i16x8.narrow_i32x4_s
              (f32x4.lt (v128.load offset=0 (local.get $from)) (local.get $zero))
              (f32x4.lt (v128.load offset=16 (local.get $from)) (local.get $zero)))
            (i16x8.narrow_i32x4_s
              (f32x4.lt (v128.load offset=32 (local.get $from)) (local.get $zero))
              (f32x4.lt (v128.load offset=48 (local.get $from)) (local.get $zero))))))
          (local.set $from (i32.add (local.get $from) (i32.const 64)))
          (local.set $to (i32.add (local.get $to) (i32.const 2)))
          (br $vectors)))
      (if (i32.lt_u (local.get $from) (local.get $end)) (then
        (local.set $bits (i32.const 0))
        (local.set $i (i32.const 0))
        (loop $tail
          (local.set $bits (i32.or (local.get $bits)
            (i32.shl (f32.lt (f32.load (local.get $from)) (f32.const 0)) (local.get $i))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (local.set $from (i32.add (local.get $from) (i32.const 4)))
          (br_if $tail (i32.lt_u (local.get $from) (local.get $end))))
        (i32.store16 (local.get $to) (local.get $bits))
        (local.set $to (i32.add (local.get $to) (i32.const 2)))))
      (block $restDone
        (loop $rest
          (br_if $restDone (i32.ge_u (local.get $to) (local.get $toEnd)))
          (i32.store16 (local.get $to) (i32.const 0))
          (local.set $to (i32.add (local.get $to) (i32.const 2)))
          (br $rest)))
      (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
      (br_if $row (local.get $rows))))

  ;; The signs of 1 to 32 channels of four pixels, or of one: a word for each pixel. Channels are `plane` bytes apart.
  (func $fourPixels (param $from i32) (param $channels i32) (param $plane i32) (result v128)
    (local $i i32) (local $words v128) (local $zero v128)
    (loop $channel
      (local.set $words (v128.or (local.get $words) (v128.and
        (f32x4.lt (v128.load (local.get $from)) (local.get $zero))
        (i32x4.splat (i32.shl (i32.const 1) (local.get $i))))))
      (local.set $from (i32.add (local.get $from) (local.get $plane)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $channel (i32.lt_u (local.get $i) (local.get $channels))))
    (local.get $words))

  (func $onePixel (param $from i32) (param $channels i32) (param $plane i32) (result i32)
    (local $i i32) (local $word i32)
    (loop $channel
      (local.set $word (i32.or (local.get $word)
        (i32.shl (f32.lt (f32.load (local.get $from)) (f32.const 0)) (local.get $i))))
      (local.set $from (i32.add (local.get $from) (local.get $plane)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $channel (i32.lt_u (local.get $i) (local.get $channels))))
    (local.get $word))

  ;; Signs of `count` neighbouring pixels: `words` words for each, the channels in order, what is left of the last one 0.
  (func (export "packPixels")
    (param $from i32) (param $to i32) (param $channels i32) (param $plane i32) (param $count i32) (param $words i32)
    (local $left i32) (local $x i32) (local $y i32) (local $pixel i32) (local $own i32) (local $v v128)
    (local.set $pixel (i32.shl (local.get $words) (i32.const 2)))
    (loop $groups
      (local.set $own (local.get $channels))
      (if (i32.gt_u (local.get $own) (i32.const 32)) (then (local.set $own (i32.const 32))))
      (local.set $x (local.get $from))
      (local.set $y (local.get $to))
      (local.set $left (local.get $count))
      (block $foursDone
        (loop $fours
          (br_if $foursDone (i32.lt_u (local.get $left) (i32.const 4)))
          (local.set $v (call $fourPixels (local.get $x) (local.get $own) (local.get $plane)))
          (i32.store (local.get $y) (i32x4.extract_lane 0 (local.get $v)))
          (local.set $y (i32.add (local.get $y) (local.get $pixel)))
          (i32.store (local.get $y) (i32x4.extract_lane 1 (local.get $v)))
          (local.set $y (i32.add (local.get $y) (local.get $pixel)))
          (i32.store (local.get $y) (i32x4.extract_lane 2 (local.get $v)))
          (local.set $y (i32.add (local.get $y) (local.get $pixel)))
          (i32.store (local.get $y) (i32x4.extract_lane 3 (local.get $v)))
          (local.set $y (i32.add (local.get $y) (local.get $pixel)))
          (local.set $x (i32.add (local.get $x) (i32.const 16)))
          (local.set $left (i32.sub (local.get $left) (i32.const 4)))
          (br $fours)))
      (block $onesDone
        (loop $ones
          (br_if $onesDone (i32.eqz (local.get $left)))
          (i32.store (local.get $y) (call $onePixel (local.get $x) (local.get $own) (local.get $plane)))
          (local.set $y (i32.add (local.get $y) (local.get $pixel)))
          (local.set $x (i32.add (local.get $x) (i32.const 4)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $ones)))
      (local.set $from (i32.add (local.get $from) (i32.shl (local.get $plane) (i32.const 5))))
      (local.set $to (i32.add (local.get $to) (i32.const 4)))
      (local.set $channels (i32.sub (local.get $channels) (local.get $own)))
      (br_if $groups (local.get $channels))))

  ;; The windows of a packed picture whose rows are `pitch` bytes apart, one after another: `lines` runs of `run` bytes, then 0 up to `bytes`.
  ;; `step` and `jump` are the bytes from a window to the next one, and from a row of windows to the next.
  (func (export "gather")
    (param $from i32) (param $to i32) (param $height i32) (param $width i32) (param $step i32) (param $jump i32)
    (param $lines i32) (param $run i32) (param $pitch i32) (param $bytes i32)
    (local $column i32) (local $window i32) (local $line i32) (local $x i32) (local $end i32) (local $toEnd i32)
    (loop $rows
      (local.set $window (local.get $from))
      (local.set $column (local.get $width))
      (loop $columns
        (local.set $toEnd (i32.add (local.get $to) (local.get $bytes)))
        (local.set $line (i32.const 0))
        (loop $linesOf
          (local.set $x (i32.add (local.get $window) (i32.mul (local.get $line) (local.get $pitch))))
          (local.set $end (i32.add (local.get $x) (local.get $run)))
          (loop $words
            (i32.store (local.get $to) (i32.load (local.get $x)))
            (local.set $to (i32.add (local.get $to) (i32.const 4)))
            (local.set $x (i32.add (local.get $x) (i32.const 4)))
            (br_if $words (i32.lt_u (local.get $x) (local.get $end))))
          (local.set $line (i32.add (local.get $line) (i32.const 1)))
          (br_if $linesOf (i32.lt_u (local.get $line) (local.get $lines))))
        (block $restDone
          (loop $rest
            (br_if $restDone (i32.ge_u (local.get $to) (local.get $toEnd)))
            (i32.store (local.get $to) (i32.const 0))
            (local.set $to (i32.add (local.get $to) (i32.const 4)))
            (br $rest)))
        (local.set $window (i32.add (local.get $window) (local.get $step)))
        (local.set $column (i32.sub (local.get $column) (i32.const 1)))
        (br_if $columns (local.get $column)))
      (local.set $from (i32.add (local.get $from) (local.get $jump)))
      (local.set $height (i32.sub (local.get $height) (i32.const 1)))
      (br_if $rows (local.get $height)))))
