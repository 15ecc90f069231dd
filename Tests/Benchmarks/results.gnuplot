# Draws results.svg, to be read at 400 pixels, too. The program bench sets: data, image, about, machine, and title_0 to
# title_4. The file has a block of bars for each title: name, value, color, label.
set encoding utf8
width = 800
bar = 34.0
head = 44.0
gap = 26.0
array bars[5]
array most[5]
top = 64.0
do for [group = 0:4] {
  stats data index group using 2 nooutput
  bars[group + 1] = STATS_records
  most[group + 1] = STATS_max
  top = top + head + bar * STATS_records + gap
}
height = top + 50
set terminal svg size width, height enhanced font 'sans-serif,20' background rgb 'white'
set output image
unset key
unset border
unset xtics
set ytics scale 0 nomirror
set style fill solid noborder
set lmargin at screen 0.3
set rmargin at screen 0.97
set label 1 '{/:Bold workq beside amqp-tools and pika}' at screen 0.02, 1 - 28 / height font ',24'
set label 2 about at screen 0.02, 40 / height font ',16' textcolor rgb '#555555'
set label 3 machine at screen 0.02, 18 / height font ',16' textcolor rgb '#555555'
set multiplot
place = height - 64
do for [group = 0:4] {
  place = place - head
  size = bar * bars[group + 1]
  set label 4 '{/:Bold '.value(sprintf('title_%d', group)).'}' at screen 0.02, (place + 14) / height
  set tmargin at screen place / height
  set bmargin at screen (place - size) / height
  place = place - size - gap
  set xrange [0 : most[group + 1] * 1.35]
  set yrange [bars[group + 1] - 0.5 : -0.5]
  plot data index group using 2:0:(0):2:($0 - 0.36):($0 + 0.36):3:ytic(1) with boxxyerror linecolor rgb variable, \
       '' index group using ($2 + most[group + 1] * 0.015):0:4 with labels left
  unset label 1
  unset label 2
  unset label 3
}
unset multiplot
